"""The projection engine: reads the log once for all projections, folds in memory, writes rows and checkpoints together.

One step:

1. Of all lanes (a partition of a projection in a target), take those that stand furthest behind, at one position.
2. Read one page after it, no further than where the next lanes stand, filtered by what these want.
3. Fold it for each projection.
4. Write the touched rows and the new position of each in one transaction. A lane that another worker has moved
   meanwhile refuses, writes nothing and is looked up again: exactly once in effect, whoever else is at work.

A target whose rows are on a server of their own takes steps apart, so that nobody waits for it. It is offered what was folded for
another target of the same projection, and folds for itself where it has fallen behind.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eventstore import DefinitionError, EventStore
from eventstore.codec import Codec
from projections.batch import BatchRunner, look_up
from projections.errors import NeedsRebuild, ProjectionPaused, UnknownModel
from projections.inline import InlineFolds
from projections.lane import Lane, Offer
from projections.other_database import OtherDatabase
from projections.past import Past
from projections.projection import BoundProjection
from projections.reporting_view import ReportingView
from projections.track import Track, ahead_of_log, tracks_of
from projections.views import BoundView, bind_views
from projections.writing import Work

BATCH = 10_000


class Engine:
    """Keeps the read models of an application. Safe to share among threads: one step runs at a time.

    Args:
        store: the log.
        bindings: projections with their targets.
        views: reporting views over their tables.
        batch_size: how many events are read at once.

    Attributes:
        lock: held by whoever moves lanes, or looks up where they stand; each remote track is moved under a lock of its own,
            or of its database.
        local: the tracks that are moved together.
        beside_log: the tracks whose rows alone are on a server of their own; each is moved apart.
        elsewhere: the tracks of each other database, which are moved together.
        inline: the tracks that appends move. The engine only folds what was appended without them.
        views: by name.

    Raises:
        DefinitionError: two projections have the same name or the same place for their rows, or two of their event classes
            the same type name.
    """

    def __init__(
        self,
        store: EventStore,
        bindings: Iterable[BoundProjection[Any]],
        *,
        views: Iterable[ReportingView] = (),
        batch_size: int = BATCH,
    ) -> None:
        self.store = store
        self.tracks = tracks_of(store, bindings)
        self.views = bind_views(self.tracks, views)
        self.projections = {each.projection.name: each.projection for each in self.tracks}
        codec = Codec([cls for each in self.projections.values() for cls in each.events_read])
        self._batches = BatchRunner(store, codec, batch_size, self._offer)
        self.past = Past(store)
        self.lock = threading.Lock()
        self.inline = [each for each in self.tracks if each.inline]
        if self.inline:
            store.accompany(InlineFolds(store, self.inline))
        self.local = [each for each in self.tracks if not each.remote and not each.inline]
        self.beside_log = [each for each in self.tracks if each.remote and each.elsewhere is None]
        locks: dict[Any, threading.Lock] = {}
        self._apart = {
            each: locks.setdefault(each.elsewhere or each, threading.Lock()) for each in self.tracks if each.remote
        }
        self.elsewhere: dict[OtherDatabase, list[Track]] = {}
        for each in self.tracks:
            if each.elsewhere is not None:
                self.elsewhere.setdefault(each.elsewhere, []).append(each)
        self._horizon = 0

    def step(self, tracks: Sequence[Track] | None = None, *, owner: str | None = None) -> bool:
        """Moves the lanes that are furthest behind by one batch.

        Args:
            tracks: only of these; of all by default.
            owner: only those that this worker holds the lease of; by default whoever holds it.

        Returns:
            Whether anything moved: False where all have caught up or wait after a failure.
        """
        chosen = self.tracks if tracks is None else tracks
        moved = False
        local = [each for each in chosen if not each.remote and not each.inline]
        for together in [local, *[[each] for each in chosen if each.inline]]:
            if together:
                with self.lock:
                    moved = self._step(together, owner) or moved
        for lock in dict.fromkeys(self._apart[each] for each in chosen if each.remote):
            with lock:
                moved = self._step([each for each in chosen if self._apart.get(each) is lock], owner) or moved
        return moved

    def lock_of(self, track: Track) -> threading.Lock:
        """What is held by whoever moves a track."""
        return self._apart.get(track, self.lock)

    def help(self, track: Track, position: int, seconds: float) -> bool:
        """Looks a track up, and moves it by one batch where it stands before a position.

        Args:
            track: what to move.
            position: where somebody waits for it to be.
            seconds: how long to wait while another thread is at work.

        Returns:
            Whether this moved it.
        """
        lock = self.lock_of(track)
        if not lock.acquire(timeout=seconds):
            return False
        try:
            track.refresh()
            if track.paused:
                track.failed(ProjectionPaused(track.projection.name))
            return track.position < position and self._advance(track.lanes)
        finally:
            lock.release()

    def catch_up(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Steps until every track has caught up with the log as it is now.

        Args:
            on_progress: called with the position of the last track and the position to be reached.

        Raises:
            ProjectionFailed: a fold failed; the others have caught up. Where it is an `EventParked`, its key alone waits, and
                that is raised once.
            ProjectionPaused: a projection is paused; the others have caught up.
            NeedsRebuild: a target holds rows of another version; the others have caught up.
            ViewRefused: the database refuses a reporting view; all read models have caught up.
            StoreError: the database refused or is gone.
        """
        head = self.store.head()
        pending = list(self.tracks)
        for lane in self._lanes(None):
            lane.gave_up = None
        for track in pending:
            track.retry_now()
        while pending:
            moved = self.step(pending)
            lanes = [lane for each in pending for lane in each.lanes if lane.failure is None or lane.tries_on]
            for lane in lanes:
                lane.retry_now()
            moved |= any(lane.tries_on for lane in lanes)
            left = list(dict.fromkeys(lane.track for lane in lanes))
            if on_progress is not None:
                on_progress(min((lane.position for lane in lanes), default=head), head)
            if (not moved and len(left) == len(pending)) or all(0 < head <= lane.position for lane in lanes):
                break
            pending = left
        for track in self.tracks:
            track.raise_failure()
        for view in self.views.values():
            view.ensure()
        if gave_up := next((each.gave_up for each in self.tracks if each.gave_up is not None), None):
            raise gave_up

    def find_view(self, name: str) -> BoundView:
        """A reporting view by its name.

        Raises:
            UnknownModel: there is none of that name.
        """
        if name not in self.views:
            raise UnknownModel(f"no reporting view is called {name!r} (there are: {', '.join(self.views) or 'none'})")
        return self.views[name]

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

    def caught_up(self, owner: str | None = None) -> bool:
        """Whether every lane stands where the log ended when a step last looked.

        Those that have failed do not count, and those that appends move.
        """
        lanes = [each for each in self._lanes(owner) if not each.track.inline]
        return all(each.failure is not None or each.position >= self._horizon for each in lanes)

    def retry_in(self, owner: str | None = None) -> float | None:
        """Seconds until the next failed lane is tried again; None where none has failed."""
        return min((wait for each in self._lanes(owner) if (wait := each.retry_in) is not None), default=None)

    def _lanes(self, owner: str | None) -> list[Lane]:
        return [lane for track in self.tracks for lane in track.lanes if owner in {None, lane.owner}]

    def _step(self, tracks: Sequence[Track], owner: str | None = None) -> bool:
        for track in tracks:
            self._refresh(track, owner)
        return self._advance([lane for track in tracks for lane in track.lanes if owner in {None, lane.owner}])

    def _advance(self, lanes: Sequence[Lane]) -> bool:
        ready = [each for each in lanes if each.runnable]
        if not ready:
            return False
        if any(self._batches.write_offer(each) for each in ready):
            return True
        start = min(each.position for each in ready)
        behind = [each for each in ready if each.position == start]
        limit = min((each.position for each in ready if each.position > start), default=None)
        if start >= self._horizon:
            self._horizon = self.store.head()
            if start >= self._horizon:
                for lane in ready:
                    _require_of_this_log(lane, self._horizon)
                return False
        return self._batches.run(behind, start, self._horizon if limit is None else min(limit, self._horizon))

    def _offer(self, work: Work) -> None:
        """Lets the remote targets of a projection have what was folded and written for another one."""
        if work.change.parked or not work.lane.whole:
            return
        name, partition = work.lane.track.projection.name, work.lane.partition
        for track in self._apart:
            if track.projection.name == name:
                for lane in track.lanes:
                    if lane.partition == partition:
                        lane.offer(Offer(work.change, work.events))

    def _refresh(self, track: Track, owner: str | None) -> None:
        """Looks a track up, unless it is in the middle of catching up, where its last write told enough."""
        lanes = [each for each in track.lanes if each.runnable and owner in {None, each.owner}]
        if track.inline or any(
            not 0 < each.position < self._horizon or isinstance(each.failure, ProjectionPaused) for each in lanes
        ):
            look_up(track)


def _require_of_this_log(lane: Lane, end: int) -> None:
    """Another database may hold rows of another log, or of events that a log which was restored has lost."""
    if lane.track.elsewhere is not None and lane.position > end:
        lane.failed(NeedsRebuild(ahead_of_log(lane.track, lane.position, end)))
