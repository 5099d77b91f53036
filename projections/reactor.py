"""A reaction at work: one event after the other, and after each of them the position is stored.

The position is moved only after the effect, so a crash in between repeats that one effect and skips none. Who has lost the lease
finds out when he moves the position, which the database then refuses: he has repeated one effect, and goes no further.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from eventstore import EventfoldError, EventStore, Recorded, StoreBusy, StoreUnavailable
from eventstore.backend import Row
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from eventstore.subscription import MAX_BACKOFF_SECONDS
from projections.errors import ReactionFailed
from projections.mending import text_of
from projections.parked import Parked, key_text, read_key
from projections.partition import Partition
from projections.reaction import Reaction
from projections.target import Change, Generation
from projections.track import Track
from projections.wanted import wanted_by

logger = logging.getLogger(__name__)

PAGE = 100
PAGE_OF_MANY = 1_000
ENDINGS = (SystemExit, asyncio.CancelledError)
"""What a function may raise to end itself, or a task of its own: the thread that carries out what comes next must outlive it."""
Call: TypeAlias = Callable[[Reaction, Recorded[Any]], None]
CallMany: TypeAlias = Callable[[Reaction, Sequence[Recorded[Any]]], None]
Keyed: TypeAlias = list[tuple[str, Recorded[Any]]]


class _Outage(Exception):
    """An error that is nobody's fault."""


class Reactor:
    """Carries out one partition of a reaction, in one thread.

    Args:
        store: the log.
        reaction: what is done.
        track: where it stands.
        partition: which share of the keys.
        owner: the worker, which must hold the lease.
        call: calls the function.
        goes_on: asked before each event.
        call_many: calls the function that does the same for many events.

    Attributes:
        failure: what it stands still for.
        gave_up: the last event that it has parked.
    """

    def __init__(
        self,
        store: EventStore,
        reaction: Reaction,
        track: Track,
        partition: Partition,
        owner: str,
        call: Call,
        goes_on: Callable[[], bool] = lambda: True,
        call_many: CallMany | None = None,
    ) -> None:
        self._call_many = call_many if reaction.many is not None else None
        self._store, self._reaction, self._partition = store, reaction, partition
        self._owner, self._call, self._goes_on = owner, call, goes_on
        self._generation: Generation = track.generation
        self._reader = LogReader(store.backend, codec_of(reaction.events), wanted_by([reaction.reading], partition))
        self._position = self._epoch = 0
        self._paused = False
        self._parked: frozenset[str | None] = frozenset()
        self._done_unstored = 0
        self._retry_at = 0.0
        self.attempts = 0
        self.failure: ReactionFailed | EventfoldError | None = None
        self.gave_up: ReactionFailed | None = None

    @property
    def retry_in(self) -> float | None:
        """Seconds until it is to be tried again; None where it does not stand still."""
        return None if self.failure is None else max(0.0, self._retry_at - time.monotonic())

    @property
    def tries_on(self) -> bool:
        """Whether it stands still only until an event has failed often enough."""
        return self.attempts > 0 and self._reaction.poison.attempts is not None

    def step(self, up_to: int | None = None) -> int:
        """Carries out the events of one page.

        Args:
            up_to: no further than this position; as far as the log goes by default.

        Returns:
            By how many positions it has moved; 0 where it has caught up, stands still, or is another's to carry out.

        Raises:
            StoreUnavailable, StoreBusy: of the log, or of a function that uses it; that counts as nobody's fault.
        """
        if not self._look_up() or self._paused:
            return 0
        start, head = self._position, self._store.head()
        end = head if up_to is None else min(up_to, head)
        if start >= end:
            return 0
        rows, reached = self._reader.page(start, end, PAGE if self._call_many is None else PAGE_OF_MANY)
        if rows and self._carry_out_many(rows, reached):
            return self._position - start
        for row in rows:
            if not self._goes_on() or not self._carry_out(row):
                return self._position - start
        if reached > self._position:
            self._advance(reached)
        return self._position - start

    def _look_up(self) -> bool:
        """Where it stands, and whether this worker holds the lease. What is parked is read after the checkpoint."""
        info = self._generation.info
        at = info.checkpoints[self._partition.number]
        self._paused = info.paused
        if at.owner != self._owner:
            return False
        if at.position != self._position:
            self._recovered()
        self._position, self._epoch = at.position, at.epoch
        mine = [each for each in self._generation.parked() if each.partition == at.partition] if at.parked else []
        self._parked = frozenset(read_key(self._reaction.reading.model, each.key) for each in mine)
        return True

    def _carry_out_many(self, rows: Sequence[Row], reached: int) -> bool:
        """Does what a page asks for at once; False where that is to be done one by one, which finds out what is at fault."""
        if self._call_many is None or self._parked or self.attempts:
            return False
        try:
            keyed = self._keyed(self._reader.decode(list(rows)))
            self._call_many(self._reaction, [recorded for _, recorded in keyed])
        except self._reaction.outages as error:
            self._stand_still(
                rows[0][0], ReactionFailed(self._reaction.name, rows[0][0], None, str(error), kind=self._reaction.kind)
            )
            return True
        except (StoreUnavailable, StoreBusy):
            raise
        except (Exception, *ENDINGS) as error:  # noqa: BLE001 - found out one by one
            logger.warning("reaction %s: many events at once failed: %s", self._reaction.name, error)
            return False
        self._advance(reached, events=len(keyed))
        return True

    def _carry_out(self, row: Row) -> bool:
        """Does what one stored event asks for; whether the next one may follow."""
        position = row[0]
        if position == self._done_unstored:
            return self._advance(position, events=1)
        try:
            keyed = self._keyed(self._reader.decode([row]))
        except ReactionFailed as failure:
            return self._failed(position, [failure], [])
        except (
            EventfoldError
        ) as error:  # it cannot be decoded: the code is to be mended, and the event is nobody's poison
            return self._stand_still(position, error)
        waiting = [
            Parked(key_text(key), position) for key in dict.fromkeys(key for key, _ in keyed if key in self._parked)
        ]
        due = [each for each in keyed if each[0] not in self._parked]
        try:
            failures = self._call_each(due)
        except _Outage as outage:
            return self._stand_still(
                position, ReactionFailed(self._reaction.name, position, None, str(outage), kind=self._reaction.kind)
            )
        if failures:
            return self._failed(position, failures, waiting)
        if waiting:
            return self._advance(position, events=min(1, len(due)), parked=waiting)
        self._done_unstored = position
        return self._advance(position, events=min(1, len(due)))

    def _call_each(self, keyed: Keyed) -> list[ReactionFailed]:
        failures: dict[str, ReactionFailed] = {}
        for key, recorded in keyed:
            if key in failures:
                continue
            try:
                self._call(self._reaction, recorded)
            except (StoreUnavailable, StoreBusy):
                raise
            except self._reaction.outages as error:
                raise _Outage(str(error)) from error
            except (Exception, *ENDINGS) as error:  # noqa: BLE001 - reported in the reaction's status
                reason = f"{type(error).__name__}: {error}"
                failures[key] = ReactionFailed(
                    self._reaction.name, recorded.position, key, reason, kind=self._reaction.kind
                )
        return list(failures.values())

    def _keyed(self, events: Sequence[Recorded[Any]]) -> Keyed:
        """Each event with its key, as far as they are wanted, and this partition's."""
        keyed = [(self._reaction.key_of(each), each) for each in events]
        return [(key, each) for key, each in keyed if key is not None and self._partition.holds(key)]

    def _failed(self, position: int, failures: Sequence[ReactionFailed], waiting: Sequence[Parked]) -> bool:
        """Stands still, or parks what has failed often enough."""
        if failures[0].key is None and self._partition.number:  # an event without a key is partition 0's
            return self._advance(position)
        self.attempts += 1
        limit = self._reaction.poison.attempts
        if limit is None or self.attempts < limit:
            pause = self._reaction.poison.pause * 2.0 ** min(self.attempts - 1, 20)
            return self._stand_still(position, failures[0], pause)
        parked = [Parked(text_of(each.key), position, each.reason, self.attempts) for each in failures]
        if not self._advance(position, parked=[*waiting, *parked]):
            return False
        for each in failures:
            self.gave_up = ReactionFailed(
                each.reaction, position, each.key, each.reason, parked=True, kind=self._reaction.kind
            )
            logger.error("%s", self.gave_up)
        self._parked |= {each.key for each in failures}
        return True

    def _stand_still(self, position: int, failure: ReactionFailed | EventfoldError, pause: float | None = None) -> bool:
        """Why is stored, for whoever asks for the status."""
        if str(failure) != str(self.failure):
            logger.error("reaction %s stands still: %s", self._reaction.name, failure)
        stored = self._advance(position - 1, error=str(failure))
        if stored:
            self.failure = failure
            self._retry_at = time.monotonic() + min(
                MAX_BACKOFF_SECONDS if pause is None else pause, MAX_BACKOFF_SECONDS
            )
        return False

    def _advance(self, to: int, *, events: int = 0, error: str | None = None, parked: Sequence[Parked] = ()) -> bool:
        """Moves the position.

        What was done is done: it is stored also where somebody has mended parked events meanwhile, and raised the epoch by that, as
        long as this worker holds the lease. What is to be parked is decided anew.
        """
        to = max(to, self._position)
        change = Change({}, self._position, to, events, error, self._partition.number, self._epoch, parked)
        if not self._generation.apply(change):
            if parked or not self._look_up() or self._position != change.from_position:
                return False
            if not self._generation.apply(replace(change, epoch=self._epoch)):
                return False
        if error is None:
            self._recovered()
        self._position = to
        return True

    def _recovered(self) -> None:
        self.failure, self.attempts, self._done_unstored = None, 0, 0
