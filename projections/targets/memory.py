"""Rows in memory: for tests, for trials, and for small models that are folded anew at every start."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from projections.errors import GenerationDropped, InvalidQuery
from projections.measure import Measure
from projections.model import Model
from projections.parked import Mended, Parked, ParkedKey
from projections.selection import Selection
from projections.target import (
    Change,
    Checkpoint,
    Fetched,
    Generation,
    GenerationInfo,
    building_of,
    fenced,
    live_of,
    rate_after,
    swapped,
)
from projections.targets.memory_select import aggregated, matching, selected


class MemoryTable:
    """Keeps a projection's rows in a dict.

    Args:
        name: unique among the targets of a projection.
    """

    needs_sql = False
    divisible = True
    joins_appends = True

    def __init__(self, name: str = "memory") -> None:
        self.name = name

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundMemoryTable":
        """A fresh, empty target; the log's database plays no part in it."""
        return BoundMemoryTable(self.name, projection)


class _Stored(msgspec.Struct, frozen=True):
    """A generation as it is at one moment."""

    info: GenerationInfo
    rows: dict[Any, Any]
    parked: dict[tuple[int, str], tuple[Parked, ...]] = {}
    """By partition and key."""


class MemoryGeneration:
    """One generation, by its number."""

    def __init__(self, table: "BoundMemoryTable", number: int) -> None:
        self.number = number
        self._table = table

    @property
    def info(self) -> GenerationInfo:
        """Where it stands."""
        return self._table.stored(self.number).info

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys."""
        rows = self._table.stored(self.number).rows
        return Fetched({key: rows[key] for key in keys if key in rows})

    def apply(self, change: Change) -> bool:
        """Writes rows and position together."""
        return self._table.apply(self.number, change)

    def on(self, _connection: None) -> "MemoryGeneration":
        """The same, within an append."""
        return self

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        found = [
            ParkedKey(partition, key, first.position, len(events), first.attempts, first.error, first.parked_us)
            for (partition, key), events in self._table.stored(self.number).parked.items()
            for first in events[:1]
        ]
        return sorted(found, key=lambda each: each.position)

    def parked_events(self, key: str | None = None, *, position: int | None = None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        every = [each for events in self._table.stored(self.number).parked.values() for each in events]
        found = [each for each in every if key in {None, each.key} and position in {None, each.position}]
        return sorted(found, key=lambda each: each.position)

    def mend(self, mended: Mended) -> bool:
        """Writes the row of a key and takes its events from those that wait."""
        return self._table.mend(self.number, mended)

    def lease(self, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases."""
        now = _now()

        def leased(at: Checkpoint) -> Checkpoint:
            if at.owner not in {None, owner} and at.until_us > now:
                return at
            epoch = at.epoch + (at.owner != owner)
            return replace(at, owner=owner, epoch=epoch, until_us=now + int(seconds * 1e6))

        self._table.change(self.number, partitions, leased)

    def release(self, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        self._table.change(
            self.number, partitions, lambda at: replace(at, owner=None, until_us=0) if at.owner == owner else at
        )


class MemoryReader:
    """Rows in memory as they were at one moment.

    Args:
        projection: whose rows.
        rows: by key.
        position: everything up to here is in them.
        parked: but for so many events.
    """

    def __init__(self, projection: str, rows: Mapping[Any, Any], position: int, parked: int = 0) -> None:
        self._projection = projection
        self._rows = rows
        self.position = position
        self.parked = parked

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants."""
        return selected(self._plain(selection), selection)

    def count(self, selection: Selection) -> int:
        """How many they are."""
        return len(matching(self._plain(selection), selection))

    def aggregate(
        self, selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
    ) -> list[dict[str, Any]]:
        """The measures of each group."""
        return aggregated(self._plain(selection), selection, groups, measures)

    def _plain(self, selection: Selection) -> Iterable[Any]:
        if selection.expressions:
            raise InvalidQuery(
                f"projection {self._projection!r} is kept in memory, which takes no SQLAlchemy expressions; compare fields "
                "by keyword, as in where(amount__gt=100)"
            )
        return self._rows.values()


class BoundMemoryTable:
    """The generations of one projection in memory.

    Attributes:
        paused: whether nobody may move them.
    """

    def __init__(self, name: str, projection: str) -> None:
        self._name, self._projection = name, projection
        self._lock = threading.Lock()
        self._generations: dict[int, _Stored] = {}
        self.paused = False

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        with self._lock:  # not between the two halves of a swap
            return [replace(each.info, paused=self.paused) for each in self._generations.values()]

    def generation(self, number: int) -> MemoryGeneration:
        """The generation of this number."""
        return MemoryGeneration(self, number)

    def stored(self, number: int) -> _Stored:
        """What a generation holds.

        Raises:
            GenerationDropped: it is gone.
        """
        found = self._generations.get(number)
        if found is None:
            raise GenerationDropped(self._projection, self._name, number)
        return found

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1, position: int = 0) -> MemoryGeneration:
        """A new, empty generation that stands at a position; where another thread has just made it, that one."""
        with self._lock:
            known = [each.info for each in self._generations.values()]
            if (found := live_of(known) if live else building_of(known, fingerprint)) is not None:
                return self.generation(found.number)
            number, now = max(self._generations, default=0) + 1, _now()
            checkpoints = tuple(Checkpoint(each, position, 0, None, now) for each in range(partitions))
            state = "live" if live else "building"
            info = GenerationInfo(self._projection, self._name, number, state, fingerprint, checkpoints, now)
            self._generations[number] = _Stored(info, {})
            return self.generation(number)

    def live_on(self, _connection: None, fingerprint: str) -> GenerationInfo:
        """The live generation within an append, made where there is none."""
        found = live_of(self.generations())
        return self.create(fingerprint, live=True).info if found is None else found

    def apply(self, number: int, change: Change) -> bool:
        """Writes rows and position of a generation together."""
        with self._lock:
            old = self._generations.get(number)
            if old is None or (checkpoints := _advanced(old.info.checkpoints, change)) is None:
                return False
            info = replace(old.info, checkpoints=checkpoints)
            self._generations[number] = _Stored(info, _written(old.rows, change.rows), _parked(old, change))
            return True

    def mend(self, number: int, mended: Mended) -> bool:
        """Writes the row of a key and takes its events from those that wait."""
        place = (mended.partition, mended.key)
        with self._lock:
            old = self._generations.get(number)
            waiting = () if old is None else old.parked.get(place, ())
            left = [each for each in waiting if each.position not in mended.gone]
            if old is None or len(waiting) - len(left) != len(mended.gone):
                return False
            if (still := mended.still) is not None:
                left = [
                    replace(still, parked_us=each.parked_us) if each.position == still.position else each
                    for each in left
                ]
            found = {at.partition: at for at in old.info.checkpoints}
            at = found[mended.partition]
            if at.epoch != mended.epoch or mended.position not in {None, at.position}:
                return False
            gone = len(mended.gone)
            found[mended.partition] = replace(
                at,
                epoch=at.epoch + 1,
                parked=at.parked - gone,
                discarded=at.discarded + gone * mended.discarded,
                events=at.events + mended.events,
            )
            parked = {key: events for key, events in {**old.parked, place: tuple(left)}.items() if events}
            info = replace(old.info, checkpoints=tuple(found.values()))
            self._generations[number] = _Stored(info, _written(old.rows, mended.rows), parked)
            return True

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows until further notice, or lets them again."""
        with self._lock:
            self.paused = paused
            if (live := self._live()) is not None:
                found = tuple(replace(at, epoch=at.epoch + paused) for at in live.info.checkpoints)
                self._put(live, replace(live.info, checkpoints=found))

    def change(self, number: int, partitions: Sequence[int], change: Callable[[Checkpoint], Checkpoint]) -> None:
        """Changes the checkpoints of some partitions."""
        with self._lock:
            if (old := self._generations.get(number)) is not None:
                found = tuple(change(at) if at.partition in partitions else at for at in old.info.checkpoints)
                self._put(old, replace(old.info, checkpoints=found))

    def swap(self, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """Makes a generation the live one."""
        with self._lock:
            chosen, former = self.stored(generation.number), self._live()
            live = None if former is None else former.info
            checkpoints = swapped(chosen.info, live, partitions, behind=behind)
            if checkpoints is None:
                return False
            if former is not None and live is not None:
                self._put(former, replace(live, state="retired", checkpoints=fenced(live)))
            self._put(chosen, replace(chosen.info, state="live", checkpoints=checkpoints))
            return True

    def held(self, _connection: None) -> list[GenerationInfo]:
        """All generations."""
        return self.generations()

    def swap_on(self, _connection: None, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """The same, while nobody appends."""
        return self.swap(generation, partitions=partitions, behind=behind)

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        with self._lock:
            found = self._generations.get(number)
            if found is None or found.info.state != "retired":
                return False
            self._put(found, replace(found.info, state="building"))
            return True

    def retire(self, number: int) -> bool:
        """Lets nobody move a generation any more; False where it is live, or gone."""
        with self._lock:
            found = self._generations.get(number)
            if found is None or found.info.state == "live":
                return False
            self._put(found, replace(found.info, state="retired", checkpoints=fenced(found.info)))
            return True

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""
        with self._lock:
            found = self._generations.get(number)
            if found is not None and found.info.state != "live":
                del self._generations[number]

    @contextmanager
    def reading(self) -> Iterator[MemoryReader]:
        """A reader of the live rows."""
        with self._lock:
            live = self._live()
        if live is None:
            yield MemoryReader(self._projection, {}, 0)
        else:
            yield MemoryReader(self._projection, live.rows, live.info.position, live.info.parked)

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        yield self.stored(number).rows.values()

    def _live(self) -> _Stored | None:
        info = live_of(each.info for each in self._generations.values())
        return None if info is None else self._generations[info.number]

    def _put(self, stored: _Stored, info: GenerationInfo) -> None:
        self._generations[info.number] = replace(stored, info=info)


def _written(rows: Mapping[Any, Any], changed: Mapping[Any, Any]) -> dict[Any, Any]:
    """The rows after a change; None deletes."""
    found = {**rows, **changed}
    for key in [key for key, row in changed.items() if row is None]:
        del found[key]
    return found


def _parked(old: _Stored, change: Change) -> dict[tuple[int, str], tuple[Parked, ...]]:
    """What waits aside after a change."""
    found, now = dict(old.parked), _now()
    for each in change.parked:
        place = (change.partition, each.key)
        found[place] = (*found.get(place, ()), replace(each, parked_us=now))
    return found


def _advanced(checkpoints: tuple[Checkpoint, ...], change: Change) -> tuple[Checkpoint, ...] | None:
    """The checkpoints after a change; None where its partition does not stand where the change begins."""
    old = next((each for each in checkpoints if each.partition == change.partition), None)
    if old is None or (old.position, old.epoch) != (change.from_position, change.epoch):
        return None
    now = _now()
    new = replace(
        old,
        position=change.to_position,
        events=old.events + change.events,
        error=change.error,
        updated_us=now,
        parked=old.parked + len(change.parked),
        rate=rate_after(old.rate, change.events, now - old.updated_us),
    )
    return tuple(new if each is old else each for each in checkpoints)


def _now() -> int:
    return time.time_ns() // 1000
