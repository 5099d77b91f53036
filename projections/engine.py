"""The projection engine: reads the log once for all projections, folds in memory, writes rows and checkpoints together.

One step:

1. Of all tracks (a projection in a target), take those that stand furthest behind, at one position.
2. Read one page after it, no further than where the next tracks stand, filtered by what these want.
3. Fold it for each projection.
4. Write the touched rows and the new position of each in one transaction. A track that another worker has moved
   meanwhile refuses, writes nothing and is looked up again: exactly once in effect, whoever else is at work.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eventstore import (
    DefinitionError,
    EventfoldError,
    EventStore,
    Query,
    QueryItem,
    Recorded,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.backend import LogFilter
from eventstore.codec import Codec
from eventstore.event import event_type
from eventstore.signal import ThreadBell
from projections.errors import NeedsRebuild, NotYetVisible, ProjectionFailed
from projections.fold import fold
from projections.projection import BoundProjection, Projection
from projections.target import Change
from projections.track import Track
from projections.writing import Outcome, Work, write_all

logger = logging.getLogger(__name__)

BATCH = 5_000
HELP_POLL_SECONDS = 0.05


class Engine:
    """Keeps the read models of an application. Safe to share among threads: one step runs at a time.

    Args:
        store: the log.
        bindings: projections with their targets.
        batch_size: how many events are read at once.

    Raises:
        DefinitionError: two projections have the same name, or two of their event classes the same type name.
    """

    def __init__(self, store: EventStore, bindings: Iterable[BoundProjection[Any]], *, batch_size: int = BATCH) -> None:
        self._store = store
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._horizon = 0
        self.tracks = [
            Track(
                binding.projection,
                target.name,
                target.bind(store.backend, binding.projection.name, binding.projection.model),
            )
            for binding in bindings
            for target in binding.targets
        ]
        self.projections = _by_name(track.projection for track in self.tracks)
        _check_places(self.tracks)
        self._codec = Codec([cls for each in self.projections.values() for cls in each.events])

    def step(self, tracks: Sequence[Track] | None = None) -> bool:
        """Moves the tracks that are furthest behind by one batch.

        Args:
            tracks: only these; all by default.

        Returns:
            Whether anything moved: False where all have caught up or wait after a failure.
        """
        with self._lock:
            return self._step(self.tracks if tracks is None else tracks)

    def catch_up(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Steps until every track has caught up with the log as it is now.

        Args:
            on_progress: called with the position of the last track and the position to be reached.

        Raises:
            ProjectionFailed: a fold failed; the others have caught up.
            NeedsRebuild: a target holds rows of another version; the others have caught up.
            StoreError: the database refused or is gone.
        """
        head = self._store.head()
        pending = list(self.tracks)
        for track in pending:
            track.retry_now()
        while pending:
            moved = self.step(pending)
            left = [each for each in pending if each.failure is None]
            if on_progress is not None:
                on_progress(min((each.position for each in left), default=head), head)
            if (not moved and len(left) == len(pending)) or all(0 < head <= each.position for each in left):
                break
            pending = left
        for track in self.tracks:
            track.raise_failure()

    def ensure(self, track: Track, position: int, seconds: float) -> bool:
        """Waits until a track contains everything up to a position; whoever waits, helps.

        Args:
            track: of the read model that is queried.
            position: the position of the write to be seen.
            seconds: how long to wait.

        Returns:
            Whether it does; False when the time is over.

        Raises:
            ProjectionFailed: the projection stands still before that position.
        """
        deadline = time.monotonic() + seconds
        if track.position >= position:
            return True
        bell = ThreadBell(self._store.signal)
        try:
            while True:
                moved = self._help(track, position, deadline)
                if track.position >= position:
                    return True
                track.raise_failure()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if not moved:
                    bell.wait(min(left, HELP_POLL_SECONDS))
        finally:
            bell.close()

    def find(self, name: str) -> list[Track]:
        """The tracks of a projection.

        Raises:
            DefinitionError: there is no projection of that name.
        """
        found = [each for each in self.tracks if each.projection.name == name]
        if not found:
            known = ", ".join(self.projections) or "none"
            raise DefinitionError(f"no projection is called {name!r} (there are: {known})")
        return found

    def retry_in(self) -> float | None:
        """Seconds until the next failed track is tried again; None where none has failed."""
        waits = [wait for each in self.tracks if (wait := each.retry_in) is not None]
        return min(waits, default=None)

    def _help(self, track: Track, position: int, deadline: float) -> bool:
        # no longer than this at a time: a worker that holds the lock may have moved the track meanwhile
        if not self._lock.acquire(timeout=min(HELP_POLL_SECONDS, max(0.0, deadline - time.monotonic()))):
            return False
        try:
            track.refresh()
            return track.position < position and self._step([track])
        finally:
            self._lock.release()

    def _step(self, tracks: Sequence[Track]) -> bool:
        ready = [each for each in tracks if each.runnable and self._refreshed(each)]
        if not ready:
            return False
        start = min(each.position for each in ready)
        behind = [each for each in ready if each.position == start]
        limit = min((each.position for each in ready if each.position > start), default=None)
        if start >= self._horizon:
            self._horizon = self._store.head()
            if start >= self._horizon:
                return False
        return self._advance(behind, start, self._horizon if limit is None else min(limit, self._horizon))

    def _refreshed(self, track: Track) -> bool:
        """Looks the track up, unless it is in the middle of catching up, where its last write told enough."""
        return 0 < track.position < self._horizon or self._looked_up(track)

    def _looked_up(self, track: Track) -> bool:
        try:
            track.refresh()
        except NeedsRebuild as error:
            if track.failure is None:
                logger.warning("%s", error)
            track.failed(error)
            return False
        return True

    def _advance(self, tracks: list[Track], start: int, up_to: int) -> bool:
        projections = {each.projection.name: each.projection for each in tracks}
        wanted = wanted_by(projections.values())
        rows = self._store.backend.log_page(wanted, start, up_to, self._batch_size)
        end = rows[-1][0] if len(rows) == self._batch_size else up_to
        try:
            events = self._codec.decode(rows)
        except EventfoldError as error:
            return self._unreadable(tracks, start, up_to, error)
        work = []
        for name, projection in projections.items():
            mine = [each for each in tracks if each.projection.name == name]
            chosen = select_events(projection, events, alone=len(projections) == 1)
            try:
                work += fold_for(mine, chosen, start, end)
            except (StoreUnavailable, StoreBusy):
                raise
            except Exception as error:  # noqa: BLE001 - reported in the projection's status
                self._unfetched(mine, error)
        return self._write(work)

    def _unfetched(self, tracks: list[Track], error: Exception) -> None:
        """The rows to fold on cannot be read. If another process has swapped and dropped them, the next step knows."""
        for track in tracks:
            before = track.generation
            if self._looked_up(track) and track.generation is before:
                logger.error("projection %s cannot read its rows: %s", track.projection.name, error)
                track.failed(error)

    def _unreadable(self, tracks: list[Track], start: int, up_to: int, error: EventfoldError) -> bool:
        """Goes on projection by projection, so that only those fail that want the event at fault."""
        names = list(dict.fromkeys(each.projection.name for each in tracks))
        if len(names) > 1:
            moved = [
                self._advance([each for each in tracks if each.projection.name == name], start, up_to) for name in names
            ]
            return any(moved)
        return self._stand_still(tracks, start, error)

    def _stand_still(self, tracks: list[Track], position: int, error: Exception) -> bool:
        """Stores why, for whoever asks for the status, in this process or another."""
        for track in tracks:
            logger.error("projection %s stands still: %s", track.projection.name, error)
            write_all([Work(track, Change({}, position, position, 0, str(error)))])
            track.failed(error)
        return False

    def _write(self, work: list[Work]) -> bool:
        outcomes = zip(work, write_all(work), strict=True)
        moved = [self._settle(each, outcome) for each, outcome in outcomes]
        if any(moved):
            self._store.announce()
        return any(moved)

    def _settle(self, work: Work, outcome: Outcome) -> bool:
        track, change = work.track, work.change
        if isinstance(outcome, (StoreUnavailable, StoreBusy)):
            track.failed(outcome)
            return False
        if isinstance(outcome, Exception):
            return self._narrow(work, outcome)
        if not outcome:
            return self._looked_up(track)
        track.succeeded(change.to_position)
        if work.failure is not None:
            logger.error("%s", work.failure)
            track.failed(work.failure)
        return change.to_position > change.from_position

    def _narrow(self, refused: Work, error: Exception) -> bool:
        """The database refuses the rows of a batch: writes those of its first half, down to the event at fault."""
        track, start, events = refused.track, refused.change.from_position, refused.events
        if len(events) > 1:
            half = events[: len(events) // 2]
            return self._write(fold_for([track], half, start, half[-1].position))
        position = events[0].position if events else start + 1
        keys = list(refused.change.rows)
        reason = f"the database refuses the row: {type(error).__name__}: {error}"
        failure = ProjectionFailed(track.projection.name, position, keys[0] if len(keys) == 1 else keys, reason)
        change = Change({}, start, position - 1, 0, str(failure))
        return self._write([Work(track, change, (), failure)])


def fold_for(tracks: list[Track], events: Sequence[Recorded[Any]], start: int, end: int) -> list[Work]:
    """Folds once for all targets of one projection; they hold the same rows, because they stand at one position."""
    folded = fold(tracks[0].projection, events, tracks[0].generation.fetch)
    to = end if folded.failure is None else folded.failure.position - 1
    error = None if folded.failure is None else str(folded.failure)
    change = Change(folded.rows, start, to, folded.events, error)
    return [Work(track, change, events, folded.failure) for track in tracks]


def wanted_by(projections: Iterable[Projection[Any]]) -> LogFilter:
    """The filter that lets through what any of the projections wants."""
    chosen = list(projections)
    items = tuple(QueryItem(tuple(event_type(cls) for cls in each.events), each.tags) for each in chosen)
    category = chosen[0].category if len({each.category for each in chosen}) == 1 else None
    return LogFilter(category=category, query=Query(items))


def select_events(
    projection: Projection[Any], events: Sequence[Recorded[Any]], *, alone: bool
) -> Sequence[Recorded[Any]]:
    """Those of a batch that one projection wants; all of them where the batch was read for it alone."""
    if alone:
        return events
    names = {event_type(cls) for cls in projection.events}
    found = [each for each in events if each.type in names]
    if projection.category is not None:
        found = [each for each in found if each.category == projection.category]
    if projection.tags:
        found = [each for each in found if set(projection.tags) <= set(each.tags)]
    return found


def visible_or_raise(engine: Engine, track: Track, position: int, seconds: float, *, stale: bool) -> bool:
    """`Engine.ensure`, with a clear error where the time is over and a stale answer will not do.

    Returns:
        Whether the read model contains the position.

    Raises:
        NotYetVisible: it does not, and `stale` is False.
    """
    try:
        visible = engine.ensure(track, position, seconds)
    except ProjectionFailed:
        if not stale:
            raise
        return False
    if not visible and not stale:
        raise NotYetVisible(track.projection.name, position, track.position, seconds)
    return visible


def _by_name(projections: Iterable[Projection[Any]]) -> dict[str, Projection[Any]]:
    found: dict[str, Projection[Any]] = {}
    for each in projections:
        if found.setdefault(each.name, each) is not each:
            raise DefinitionError(f"two projections are called {each.name!r}; give each its own name")
    return found


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
