"""One generation of a read model: a table of rows, and its place in the registry."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from eventstore import EventfoldError, StoreBusy, StoreUnavailable
from eventstore.sql_database import SqlDatabase
from projections.parked import Mended, Parked, ParkedKey
from projections.target import Change, Fetched, GenerationInfo
from projections.targets.sql_registry import GenerationRegistry
from projections.targets.sql_rows import SqlRows


class SqlGeneration:
    """One table of rows and its place in the registry."""

    def __init__(self, database: SqlDatabase, registry: GenerationRegistry, rows: SqlRows, number: int) -> None:
        self.database = database
        self.number = number
        self._registry = registry
        self._rows = rows

    @property
    def info(self) -> GenerationInfo:
        """As stored at this moment."""
        return self._registry.one(self.number)

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys."""
        if not keys:
            return Fetched({})
        try:
            with self.database.reading() as connection:
                return Fetched(self._rows.fetch(connection, keys))
        except (StoreUnavailable, StoreBusy):
            raise
        except EventfoldError:
            self._registry.one(self.number)  # says so if the table is gone because the generation is
            raise

    def apply(self, change: Change) -> bool:
        """Writes rows and position in one transaction of its own."""
        with self.database.transaction() as connection:
            return self.write(connection, change)

    def write(self, connection: Connection, change: Change) -> bool:
        """Writes rows and position within a transaction; False, and nothing is written, if another worker was faster."""
        if not self._registry.advance(connection, self.number, change):
            return False
        self._rows.write(connection, change.rows)
        return True

    def on(self, connection: Connection) -> "JoinedGeneration":
        """The same within a transaction, which somebody else commits."""
        return JoinedGeneration(self, connection, self._registry, self._rows)

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._registry.parked(self.number)

    def parked_events(self, key: str | None = None, *, position: int | None = None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        return self._registry.parked_events(self.number, key, position)

    def mend(self, mended: Mended) -> bool:
        """Writes the row of a key and takes its events from those that wait."""
        with self.database.transaction() as connection:
            done = self._registry.mend(connection, self.number, mended)
            if done:
                self._rows.write(connection, mended.rows)
            else:
                connection.rollback()
        return done

    def lease(self, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases by the database's clock."""
        with self.database.transaction() as connection:
            self._registry.lease(connection, self.number, partitions, owner, seconds)

    def release(self, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        with self.database.transaction() as connection:
            self._registry.release(connection, self.number, partitions, owner)


class JoinedGeneration:
    """A generation within a transaction that somebody else has begun, and commits."""

    def __init__(
        self, generation: SqlGeneration, connection: Connection, registry: GenerationRegistry, rows: SqlRows
    ) -> None:
        self._generation = generation
        self._connection = connection
        self._registry = registry
        self._rows = rows

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys."""
        return Fetched(self._rows.fetch(self._connection, keys) if keys else {})

    def apply(self, change: Change) -> bool:
        """Writes rows and position."""
        return self._generation.write(self._connection, change)

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._registry.parked_on(self._connection, self._generation.number)
