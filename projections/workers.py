"""Who is at work: the workers that have given a sign of life lately."""

from collections.abc import Sequence
from typing import Protocol

from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase
from projections.targets.sql_clock import now_us


class Workers(Protocol):
    """The workers over one log."""

    def beat(self, name: str, seconds: float) -> Sequence[str]:
        """Counts a worker as alive for so long, and names all that are, in one order for everybody."""

    def leave(self, name: str) -> None:
        """Counts a worker no longer."""


def workers_of(backend: Backend) -> Workers:
    """Those of a log; where it is in memory, there are no other processes to share with."""
    return Alone() if backend.sql is None else SqlWorkers(backend.sql)


class Alone:
    """One worker over a log that no other process sees."""

    def beat(self, name: str, seconds: float) -> Sequence[str]:
        """Itself."""
        del seconds
        return [name]

    def leave(self, name: str) -> None:
        """Nobody has to know."""


class SqlWorkers:
    """Heartbeats in a table of the log's database, by that database's clock."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        table = database.qualified(f"{database.prefix}workers")
        mark, now = ("?" if database.dialect == "sqlite" else "%s"), now_us(database.dialect)
        self._forget = f"DELETE FROM {table} WHERE name = {mark} OR until_us <= {now}"
        self._beat = f"INSERT INTO {table} (name, until_us) VALUES ({mark}, {now} + {mark})"
        self._list = f"SELECT name FROM {table} WHERE until_us > {now} ORDER BY name"

    def beat(self, name: str, seconds: float) -> Sequence[str]:
        """Counts a worker as alive for so long, and names all that are."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql(self._forget, (name,))
            connection.exec_driver_sql(self._beat, (name, int(seconds * 1e6)))
            alive = [str(row[0]) for row in connection.exec_driver_sql(self._list)]
        return alive if name in alive else sorted([*alive, name])

    def leave(self, name: str) -> None:
        """Counts a worker no longer."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql(self._forget, (name,))
