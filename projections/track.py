"""One projection in one target: where its live generation stands, and how it does."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from eventstore import DefinitionError, EventfoldError, EventStore, StoreBusy, StoreUnavailable
from eventstore.subscription import backoff
from projections.errors import NeedsRebuild, ProjectionFailed
from projections.projection import BoundProjection, Projection
from projections.target import BoundTarget, Generation, live_of

logger = logging.getLogger(__name__)


class Track:
    """What the engine remembers between two batches. The truth is in the target; `refresh` looks it up.

    Args:
        projection: the fold.
        name: the target's name.
        target: where the rows are.
    """

    def __init__(self, projection: Projection[Any], name: str, target: BoundTarget) -> None:
        self.projection = projection
        self.name = name
        self.target = target
        self.position = 0
        self.failure: Exception | None = None
        self._generation: Generation | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._logged: str | None = None

    @property
    def generation(self) -> Generation:
        """The live generation, made where there is none yet."""
        if self._generation is None:
            self.refresh()
        assert self._generation is not None  # noqa: S101 - refresh has just made it
        return self._generation

    @property
    def runnable(self) -> bool:
        """Whether it is not waiting to be tried again after a failure."""
        return self.failure is None or time.monotonic() >= self._retry_at

    @property
    def retry_in(self) -> float | None:
        """Seconds until a failed track is tried again; None where it has not failed."""
        return None if self.failure is None else max(0.0, self._retry_at - time.monotonic())

    def refresh(self) -> None:
        """Looks up which generation is live and where it stands.

        Raises:
            NeedsRebuild: its rows were made by another version of the projection or model.
        """
        fingerprint = self.projection.fingerprint
        info = live_of(self.target.generations()) or self.target.create(fingerprint, live=True).info
        if info.fingerprint != fingerprint:
            raise NeedsRebuild(
                f"projection {self.projection.name!r}: the rows of target {self.name!r} were made by another version of the "
                f"projection or its model; run `eventfold projections rebuild {self.projection.name}`"
            )
        if info.position > self.position or isinstance(self.failure, (NeedsRebuild, StoreUnavailable, StoreBusy)):
            self._recovered()  # what it stood still for is over: elsewhere it went on
        self._generation, self.position = self.target.generation(info.number), info.position

    def retry_now(self) -> None:
        """Lets a failed track be tried without waiting any longer."""
        self._retry_at = 0.0

    def succeeded(self, position: int) -> None:
        """The batch is written."""
        self.position = position
        self._recovered()

    def failed(self, failure: Exception) -> None:
        """The batch could not be written, or not whole; it is tried again after a growing pause.

        What it stands still for is logged once, not at each try; see also `eventfold projections status`.
        """
        if str(failure) != self._logged:
            self._logged = str(failure)
            logger.error("projection %s in %s stands still: %s", self.projection.name, self.name, failure)
        self.failure = failure
        self._failures += 1
        self._retry_at = time.monotonic() + backoff(self._failures)

    def _recovered(self) -> None:
        self.failure, self._failures, self._logged = None, 0, None

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
            raise ProjectionFailed(self.projection.name, self.position + 1, None, reason) from self.failure


def tracks_of(store: EventStore, bindings: Iterable[BoundProjection[Any]]) -> list[Track]:
    """A track for each projection in each of its targets.

    Raises:
        DefinitionError: two projections have the same name, or keep their rows in the same place.
    """
    tracks = [
        Track(each.projection, target.name, target.bind(store.backend, each.projection.name, each.projection.model))
        for each in bindings
        for target in each.targets
    ]
    _check_names(tracks)
    _check_places(tracks)
    return tracks


def _check_names(tracks: Iterable[Track]) -> None:
    found: dict[str, Projection[Any]] = {}
    for projection in (track.projection for track in tracks):
        if found.setdefault(projection.name, projection) is not projection:
            raise DefinitionError(f"two projections are called {projection.name!r}; give each its own name")


def _check_places(tracks: Iterable[Track]) -> None:
    """No two projections may write one table, and no projection may write it twice."""
    owners: dict[Any, Track] = {}
    for track in tracks:
        table = getattr(track.target, "table", None)
        place = (track.projection.name, track.name) if table is None else table.fullname
        other = owners.setdefault(place, track)
        if other is not track:
            raise DefinitionError(
                f"projections {other.projection.name!r} and {track.projection.name!r} both keep their rows in {track.name!r}; "
                "give each a target of its own name"
            )
