"""One partition of a projection's rows in one target: where it stands, and how it does."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from eventstore import EventfoldError, NotMigrated, Recorded, StoreBusy, StoreUnavailable
from eventstore.subscription import MAX_BACKOFF_SECONDS, backoff
from projections.errors import EventParked, NeedsRebuild, ProjectionFailed, ProjectionPaused
from projections.parked import NO_KEY, read_key
from projections.partition import Partition
from projections.row_cache import RowCache
from projections.target import Change, Checkpoint, Fetched, Generation

if TYPE_CHECKING:
    from projections.track import Track

logger = logging.getLogger(__name__)

PASSING = (NeedsRebuild, NotMigrated, ProjectionPaused, StoreUnavailable, StoreBusy)
"""What may be over when a lane is looked up again."""
PAUSED_SECONDS = 1.0
"""How soon a lane looks again whether its projection was resumed."""


REMEMBERED_BYTES = 16 << 20
"""How much a lane of a remote target remembers of its rows."""
OFFERS = 4
"""How many batches that were folded for another target a lane may put off; further behind, it folds for itself."""


class Offer(msgspec.Struct, frozen=True):
    """What another target of the same projection has written: this one need not fold it again.

    Attributes:
        change: the rows, as they are at its end.
        events: that led to it.
    """

    change: Change
    events: Sequence[Recorded[Any]]


class Lane:
    """What the engine remembers of one partition between two batches; its track's `refresh` looks it up.

    Args:
        track: the projection in its target.
        partition: whose keys are folded here.

    Attributes:
        parked: the keys whose events wait aside, each with its text. It belongs to epoch and position: whoever parks moves the
            position, and whoever mends raises the epoch, so what is written by an outdated knowledge of it is refused.
        gave_up: the last failure that made a key wait aside.
    """

    def __init__(self, track: "Track", partition: Partition) -> None:
        self.track = track
        self.partition = partition
        self.position = 0
        self.epoch = 0
        self.owner: str | None = None
        self.failure: Exception | None = None
        self.parked: Mapping[Any, str] = {}
        self.discarded = 0
        self.attempts = 0
        self.gave_up: EventParked | None = None
        self._generation = 0
        self._rows: RowCache | None = None
        self._rows_of: Generation | None = None
        self._rows_at = 0
        self._offers: deque[Offer] = deque()
        self._offered_to = 0
        self._offering = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._logged: str | None = None

    @property
    def runnable(self) -> bool:
        """Whether it is not waiting to be tried again after a failure."""
        return self.failure is None or time.monotonic() >= self._retry_at

    @property
    def retry_in(self) -> float | None:
        """Seconds until a failed lane is tried again; None where it has not failed."""
        return None if self.failure is None else max(0.0, self._retry_at - time.monotonic())

    @property
    def whole(self) -> bool:
        """Whether its rows contain every event up to its position, as those of every other whole lane of the same partition do."""
        return not self.parked and not self.discarded

    @property
    def last_attempt(self) -> bool:
        """Whether an event that fails once more is to be parked."""
        attempts = self.track.poison.attempts
        return attempts is not None and self.attempts + 1 >= attempts

    @property
    def tries_on(self) -> bool:
        """Whether it stands still only until an event has failed often enough."""
        return self.attempts > 0 and self.track.poison.attempts is not None

    def found(self, checkpoint: Checkpoint, generation: Generation) -> None:
        """Takes over what is stored of it."""
        stood = (self._generation, self.epoch, self.position)
        self._generation = generation.number
        if stood != (generation.number, checkpoint.epoch, checkpoint.position):
            self._rows = None  # somebody else may have mended some of them
        if not checkpoint.parked:
            self.parked = {}
        elif stood != (generation.number, checkpoint.epoch, checkpoint.position):  # after the checkpoint: see `parked`
            mine = [each for each in generation.parked() if each.partition == self.partition.number]
            self.parked = self._keys([each.key for each in mine])
        self.discarded = checkpoint.discarded
        if checkpoint.position > self.position or isinstance(self.failure, PASSING):
            self._recovered()  # what it stood still for is over: elsewhere it went on
        self.position, self.epoch, self.owner = checkpoint.position, checkpoint.epoch, checkpoint.owner

    def retry_now(self) -> None:
        """Lets a failed lane be tried without waiting any longer."""
        self._retry_at = 0.0

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows under these keys. Of a remote target they are remembered while nobody else moves this lane.

        What is in memory then stands where the lane does, so that it needs not be asked for; and nothing is asked for where the
        lane has begun at the log's beginning.
        """
        generation = self.track.generation
        if not self.track.remote:
            return generation.fetch(keys)
        if self._rows is None or self._rows_of is not generation or self._rows_at != self.position:
            self._rows = RowCache(generation, max_bytes=REMEMBERED_BYTES, complete=self.position == 0)
            self._rows_of, self._rows_at = generation, self.position
        return self._rows.fetch(keys)

    def offer(self, offer: Offer) -> None:
        """Takes what was folded elsewhere, where it goes on from here, and there is room."""
        with self._offering:
            end = max(self.position, self._offered_to)
            if self.failure is None and end == offer.change.from_position and len(self._offers) < OFFERS:
                self._offers.append(offer)
                self._offered_to = offer.change.to_position

    def next_offer(self) -> Offer | None:
        """What goes on from here; None where nothing does."""
        with self._offering:
            while self._offers:
                offer = self._offers.popleft()
                if offer.change.from_position == self.position and self.whole:
                    return offer
            self._offered_to = 0
        return None

    def succeeded(self, change: Change) -> None:
        """The batch is written."""
        if self._rows is not None and self._rows_at == change.from_position:
            self._rows.update(change.rows)
            self._rows.written()
            self._rows_at = change.to_position
        self.position = change.to_position
        self._recovered()
        name = self.track.projection.name
        for each in change.parked:
            if each.error is not None:
                key = read_key(self.track.projection.model, each.key)
                self.gave_up = EventParked(name, each.position, key, each.error)
                logger.error("projection %s in %s: %s", name, self.track.name, self.gave_up)
        if change.parked:
            self.parked = {**self.parked, **self._keys([each.key for each in change.parked])}

    def failed(self, failure: Exception, *, poison: bool = False) -> None:
        """The batch could not be written, or not whole; it is tried again after a growing pause.

        What it stands still for is logged once, not at each try; see also `eventfold projections status`.

        Args:
            failure: what it stands still for.
            poison: whether it is the fault of an event, which is parked when it has failed often enough.
        """
        if str(failure) != self._logged and not isinstance(failure, ProjectionPaused):
            self._logged = str(failure)
            logger.error("projection %s in %s stands still: %s", self.track.projection.name, self.track.name, failure)
        self.failure = failure
        self._rows = None
        self._failures += 1
        wait = backoff(self._failures)
        if poison and (policy := self.track.poison).attempts is not None:
            wait = min(policy.pause * 2.0 ** min(self.attempts, 20), MAX_BACKOFF_SECONDS)
        elif isinstance(failure, ProjectionPaused):
            wait = PAUSED_SECONDS
        self.attempts += poison
        self._retry_at = time.monotonic() + wait

    def raise_failure(self) -> None:
        """Raises what it stands still for.

        Raises:
            ProjectionFailed: the fold, or the target, refused an event.
            EventfoldError: the rows, or the log, cannot be used.
        """
        if isinstance(self.failure, EventfoldError):
            raise self.failure
        if self.failure is not None:
            reason = f"{type(self.failure).__name__}: {self.failure}"
            raise ProjectionFailed(self.track.projection.name, self.position + 1, None, reason) from self.failure

    def _keys(self, texts: Sequence[str]) -> dict[Any, str]:
        return {read_key(self.track.projection.model, text): text for text in texts if text != NO_KEY}

    def _recovered(self) -> None:
        self.failure, self._failures, self._logged, self.attempts = None, 0, None, 0
