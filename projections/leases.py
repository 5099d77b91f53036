"""Leases: which worker moves which lane, spread evenly over those that are alive.

A lease stands in the checkpoint: owner, epoch and until when. Whoever takes one over raises the epoch, and a write of an earlier
epoch is refused by the database, however late it comes and whatever its process believes.
"""

import os
import socket
import time
import uuid
from collections.abc import Iterable, Sequence

from projections.batch import look_up
from projections.engine import Engine
from projections.lane import Lane
from projections.other_database import OtherDatabase
from projections.track import Track
from projections.workers import SqlWorkers, workers_of

LEASE_SECONDS = 10.0
"""How long a worker may be silent before others take over."""
_PARTS = 5
"""A lease is renewed so many times before it would end."""
_HUNGRY_SECONDS = 0.1
"""How soon a worker looks again that has less than its share, because others have just come or gone."""


class Leases:
    """The leases of one worker.

    Args:
        engine: whose lanes are worked on.
        seconds: how long a lease lasts unless it is renewed.
        name: of the worker; nobody else's, ever.
        database: another one than the log's: the leases of the tracks there, among those workers that reach it.
        beside: what else it works on, beside the engine's tracks.

    Attributes:
        name: of the worker.
        seconds: how long a lease lasts unless it is renewed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        seconds: float = LEASE_SECONDS,
        name: str | None = None,
        beside: Sequence[Track] = (),
        database: OtherDatabase | None = None,
    ) -> None:
        self.name = name or worker_name()
        self._engine = engine
        self._tracks = [*[each for each in engine.tracks if each.elsewhere is database], *beside]
        self._lock = engine.lock if database is None else engine.lock_of(self._tracks[0])
        self.seconds = seconds
        self._workers = workers_of(engine.store.backend) if database is None else SqlWorkers(database)
        self._alive: Sequence[str] = ()
        self._unwanted: dict[Lane, float] = {}
        self._kept: set[Lane] = set()
        self._settled_at = self._due = 0.0

    @property
    def due_in(self) -> float:
        """Seconds until it is time to call `keep`."""
        return max(0.0, self._due - time.monotonic())

    def keep(self) -> None:
        """Shows that this worker is alive, renews its leases, lets go of what is too much, and takes what is free."""
        with self._lock:
            alive = self._workers.beat(self.name, self.seconds)
            if alive != self._alive:
                self._alive, self._kept = alive, set()
                self._settled_at = time.monotonic() + 2 * self.seconds
            lanes = [lane for track in self._tracks if look_up(track) for lane in track.lanes]
            mine = [each for each in lanes if each.owner == self.name]
            share = _share(len(lanes), alive, self.name)
            surplus = [each for each in mine if each not in self._kept][share:]
            taken = self._choose(lanes, share - len(mine))
            if surplus:
                self._release(surplus)
            self._lease([*[each for each in mine if each not in surplus], *taken])
            if taken:
                self._engine.store.signal.ring()  # threads of this worker wait for what is theirs
            hungry = sum(each.owner == self.name for each in lanes) < share and time.monotonic() < self._settled_at
        self._due = time.monotonic() + (_HUNGRY_SECONDS if hungry else self.seconds / _PARTS)

    def release(self) -> None:
        """Lets go of everything, so that others need not wait for the leases to end."""
        with self._lock:
            self._release([each for track in self._tracks for each in track.lanes if each.owner == self.name])
            self._workers.leave(self.name)

    def _choose(self, lanes: Iterable[Lane], wanted: int) -> list[Lane]:
        """The lanes to take: as many as are wanted, and those that nobody else has wanted for a lease's time."""
        free = [each for each in lanes if each.owner is None or each.owner not in self._alive]
        now = time.monotonic()
        self._unwanted = {each: self._unwanted.get(each, now) for each in free}
        late = [each for each in free[max(0, wanted) :] if now - self._unwanted[each] >= 2 * self.seconds]
        self._kept.update(late)
        return free[: max(0, wanted)] + late

    def _lease(self, lanes: Sequence[Lane]) -> None:
        for track, partitions in _by_track(lanes):
            track.generation.lease(partitions, self.name, self.seconds)
            look_up(track)

    def _release(self, lanes: Sequence[Lane]) -> None:
        for track, partitions in _by_track(lanes):
            track.generation.release(partitions, self.name)
            look_up(track)
        if lanes:
            self._engine.store.announce()


def worker_name() -> str:
    """A name for a worker that nobody else has, ever."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _share(lanes: int, alive: Sequence[str], name: str) -> int:
    """How many lanes one of the workers should hold: all get the same number, and the first ones what is left over."""
    each, left = divmod(lanes, len(alive))
    return each + (alive.index(name) < left)


def _by_track(lanes: Iterable[Lane]) -> list[tuple[Track, list[int]]]:
    found: dict[Track, list[int]] = {}
    for lane in lanes:
        found.setdefault(lane.track, []).append(lane.partition.number)
    return [(track, sorted(partitions)) for track, partitions in found.items()]
