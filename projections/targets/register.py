"""The register of generations whose rows are elsewhere: which there are, and where each one stands, beside the log."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec.structs import replace
from sqlalchemy import Connection

from eventstore.sql_database import SqlDatabase
from projections.parked import Mended, Parked, ParkedKey
from projections.target import Change, GenerationInfo, building_of, fenced, live_of, swapped
from projections.targets.memory import BoundMemoryTable
from projections.targets.sql_registry import GenerationRegistry


class Register(Protocol):
    """What a target without transactions with the log's database keeps there."""

    def all(self) -> list[GenerationInfo]:
        """All generations as of one moment, oldest first."""

    def one(self, number: int) -> GenerationInfo:
        """A generation by its number.

        Raises:
            GenerationDropped: it is gone.
        """

    def create(self, fingerprint: str, *, live: bool, partitions: int, position: int = 0) -> int:
        """The number of a new generation, which stands at a position; where somebody has just made it, that one's."""

    def advance(self, number: int, change: Change) -> bool:
        """Moves a partition's position, if it stands where the change begins and has its epoch."""

    def parked(self, number: int) -> list[ParkedKey]:
        """The keys for which events wait aside."""

    def parked_events(self, number: int, key: str | None, position: int | None) -> list[Parked]:
        """The events that wait aside, oldest first."""

    def mend(self, number: int, mended: Mended) -> bool:
        """Takes events from those that wait, as `Generation.mend` does."""

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows, or lets them again, as `BoundTarget.pause` does."""

    def lease(self, number: int, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases, as `Generation.lease` does."""

    def release(self, number: int, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""

    def swap(self, number: int, *, partitions: int, behind: bool) -> bool:
        """Makes a generation the live one, as `BoundTarget.swap` does.

        Raises:
            GenerationDropped: it is gone.
        """

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built; False if it is none."""

    def retire(self, number: int) -> bool:
        """Lets nobody move a generation any more; False where it is live, or gone."""

    def remove(self, number: int) -> None:
        """Forgets a generation that is not live."""


def register_of(backend: Any, projection: str, target: str) -> Register:
    """The register in the log's database, or in memory beside a log in memory."""
    database: SqlDatabase | None = backend.sql
    return MemoryRegister(projection, target) if database is None else SqlRegister(database, projection, target)


class SqlRegister:
    """The register in the log's database.

    Args:
        database: the log's.
        projection: the projection's name.
        target: the target's name.
    """

    def __init__(self, database: SqlDatabase, projection: str, target: str) -> None:
        self._database = database
        self._registry = GenerationRegistry(database, projection, target, apart=True)

    def all(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._registry.all()

    def one(self, number: int) -> GenerationInfo:
        """A generation by its number."""
        return self._registry.one(number)

    def create(self, fingerprint: str, *, live: bool, partitions: int, position: int = 0) -> int:
        """The number of a new generation."""
        with self._database.transaction() as connection:
            self._registry.hold(connection)
            known = self._registry.within(connection)
            if (found := live_of(known) if live else building_of(known, fingerprint)) is not None:
                return found.number
            number = max((each.number for each in known), default=0) + 1
            state = "live" if live else "building"
            self._registry.insert(connection, number, state, fingerprint, partitions, position)
            return number

    def advance(self, number: int, change: Change) -> bool:
        """Moves a generation's position."""
        with self._database.transaction() as connection:
            return self._registry.advance(connection, number, change)

    def parked(self, number: int) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._registry.parked(number)

    def parked_events(self, number: int, key: str | None, position: int | None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        return self._registry.parked_events(number, key, position)

    def mend(self, number: int, mended: Mended) -> bool:
        """Takes events from those that wait."""
        with self._database.transaction() as connection:
            done = self._registry.mend(connection, number, mended)
            if not done:
                connection.rollback()
        return done

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows, or lets them again."""
        with self._database.transaction() as connection:
            self._registry.hold(connection)
            self._registry.pause(connection, paused=paused)

    def lease(self, number: int, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases by the database's clock."""
        with self._database.transaction() as connection:
            self._registry.lease(connection, number, partitions, owner, seconds)

    def release(self, number: int, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        with self._database.transaction() as connection:
            self._registry.release(connection, number, partitions, owner)

    def swap(self, number: int, *, partitions: int, behind: bool) -> bool:
        """Makes a generation the live one."""
        with self._database.transaction() as connection:
            known = self._registry.within(connection, lock=True)
            chosen, live = self._registry.chosen(known, number), live_of(known)
            checkpoints = swapped(chosen, live, partitions, behind=behind)
            if checkpoints is None:
                return False
            if live is not None:
                self._retire(connection, live)
            self._registry.set_state(connection, number, "live")
            self._registry.replace(connection, number, checkpoints)
        return True

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        with self._database.transaction() as connection:
            known = {each.number: each.state for each in self._registry.within(connection, lock=True)}
            if known.get(number) != "retired":
                return False
            self._registry.set_state(connection, number, "building")
        return True

    def retire(self, number: int) -> bool:
        """Lets nobody move a generation any more."""
        with self._database.transaction() as connection:
            known = {each.number: each for each in self._registry.within(connection, lock=True)}
            if number not in known or known[number].state == "live":
                return False
            self._retire(connection, known[number])
        return True

    def remove(self, number: int) -> None:
        """Forgets a generation."""
        with self._database.transaction() as connection:
            self._registry.remove(connection, number)

    def _retire(self, connection: Connection, info: GenerationInfo) -> None:
        self._registry.set_state(connection, info.number, "retired")
        self._registry.replace(connection, info.number, fenced(info))


class MemoryRegister:
    """The register in memory: that of a table in memory which never has any rows.

    Args:
        projection: the projection's name.
        target: the target's name.
    """

    def __init__(self, projection: str, target: str) -> None:
        self._table = BoundMemoryTable(target, projection)

    def all(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._table.generations()

    def one(self, number: int) -> GenerationInfo:
        """A generation by its number."""
        return replace(self._table.stored(number).info, paused=self._table.paused)

    def create(self, fingerprint: str, *, live: bool, partitions: int, position: int = 0) -> int:
        """The number of a new generation."""
        return self._table.create(fingerprint, live=live, partitions=partitions, position=position).number

    def advance(self, number: int, change: Change) -> bool:
        """Moves a generation's position."""
        return self._table.apply(number, replace(change, rows={}))

    def parked(self, number: int) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._table.generation(number).parked()

    def parked_events(self, number: int, key: str | None, position: int | None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        return self._table.generation(number).parked_events(key, position=position)

    def mend(self, number: int, mended: Mended) -> bool:
        """Takes events from those that wait."""
        return self._table.mend(number, replace(mended, rows={}))

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows, or lets them again."""
        self._table.pause(paused=paused)

    def lease(self, number: int, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases."""
        self._table.generation(number).lease(partitions, owner, seconds)

    def release(self, number: int, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        self._table.generation(number).release(partitions, owner)

    def swap(self, number: int, *, partitions: int, behind: bool) -> bool:
        """Makes a generation the live one."""
        return self._table.swap(self._table.generation(number), partitions=partitions, behind=behind)

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        return self._table.reopen(number)

    def retire(self, number: int) -> bool:
        """Lets nobody move a generation any more."""
        return self._table.retire(number)

    def remove(self, number: int) -> None:
        """Forgets a generation."""
        self._table.drop(number)
