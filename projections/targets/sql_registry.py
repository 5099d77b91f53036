"""The registry of generations in a SQL database: which there are, which one is live, and where each one stands."""

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, and_, insert, select, update

from eventstore.sql_database import SqlDatabase
from projections.errors import GenerationDropped
from projections.target import Change, GenerationInfo


class GenerationRegistry:
    """The rows of one projection and target in the table of generations. The checkpoint is one of its columns."""

    def __init__(self, database: SqlDatabase, projection: str, target: str) -> None:
        self._database = database
        self._projection, self._target = projection, target
        self._table = Table(
            f"{database.prefix}generations",
            MetaData(schema=database.schema),
            Column("projection", Text),
            Column("target", Text),
            Column("number", Integer),
            Column("state", Text),
            Column("fingerprint", Text),
            Column("position", BigInteger),
            Column("events", BigInteger),
            Column("error", Text),
            Column("updated_at", BigInteger),
        )
        mark = "?" if database.dialect == "sqlite" else "%s"
        self._list = (
            f"SELECT {', '.join(column.name for column in self._table.columns)} FROM {database.qualified(self._table.name)} "
            f"WHERE projection = {mark} AND target = {mark} ORDER BY number"
        )
        self._live_position = (
            f"SELECT position FROM {database.qualified(self._table.name)} "
            f"WHERE projection = {mark} AND target = {mark} AND state = 'live'"
        )
        self._advance = (
            f"UPDATE {database.qualified(self._table.name)} SET position = {mark}, events = events + {mark}, error = {mark}, "
            f"updated_at = {mark} WHERE projection = {mark} AND target = {mark} AND number = {mark} "
            f"AND position = {mark} AND state <> 'retired'"
        )

    def all(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        with self._database.reading() as connection:
            return self.within(connection)

    def within(self, connection: Connection, *, lock: bool = False) -> list[GenerationInfo]:
        """All generations, as a transaction sees them; `lock` holds them until it ends."""
        table = self._table
        if lock:
            rows = connection.execute(select(table).where(self._mine()).order_by(table.c.number).with_for_update())
            return [GenerationInfo(*row) for row in rows]
        found = connection.exec_driver_sql(self._list, (self._projection, self._target))
        return [GenerationInfo(*row) for row in found]

    def live_position(self, connection: Connection) -> int:
        """Where the live generation stands; 0 where there is none. Through the driver's cursor: it is asked before each read."""
        cursor = connection.connection.cursor()
        cursor.execute(self._live_position, (self._projection, self._target))
        found = cursor.fetchone()
        return 0 if found is None else int(found[0])

    def one(self, number: int) -> GenerationInfo:
        """A generation by its number.

        Raises:
            GenerationDropped: it is gone.
        """
        return self.chosen(self.all(), number)

    def chosen(self, known: Iterable[GenerationInfo], number: int) -> GenerationInfo:
        """The one of that number.

        Raises:
            GenerationDropped: it is not among them.
        """
        found = next((each for each in known if each.number == number), None)
        if found is None:
            raise GenerationDropped(self._projection, self._target, number)
        return found

    def insert(self, connection: Connection, number: int, state: str, fingerprint: str) -> GenerationInfo:
        """Adds a generation at position 0."""
        info = GenerationInfo(self._projection, self._target, number, state, fingerprint, 0, 0, None, _now())
        values = {**_columns(info), "updated_at": info.updated_us}
        connection.execute(insert(self._table).values(**values))
        return info

    def set_state(self, connection: Connection, number: int, state: str) -> None:
        """Makes a generation live, retired or building."""
        table = self._table
        connection.execute(update(table).where(self._mine(), table.c.number == number).values(state=state))

    def advance(self, connection: Connection, number: int, change: Change) -> bool:
        """Moves a generation's position, if it stands where the change begins; holds its row until the commit."""
        cursor = connection.exec_driver_sql(
            self._advance,
            (
                change.to_position,
                change.events,
                change.error,
                _now(),
                self._projection,
                self._target,
                number,
                change.from_position,
            ),
        )
        return cursor.rowcount == 1

    def remove(self, connection: Connection, number: int) -> None:
        """Forgets a generation that is not live."""
        table = self._table
        connection.execute(table.delete().where(self._mine(), table.c.number == number, table.c.state != "live"))

    def hold(self, connection: Connection) -> None:
        """Keeps other processes from making generations of this projection until the transaction ends."""
        if self._database.dialect == "postgresql":
            name = f"eventfold generations {self._projection} {self._target}"
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))

    def _mine(self) -> Any:
        return and_(self._table.c.projection == self._projection, self._table.c.target == self._target)


def _columns(info: GenerationInfo) -> dict[str, Any]:
    return {
        "projection": info.projection,
        "target": info.target,
        "number": info.number,
        "state": info.state,
        "fingerprint": info.fingerprint,
        "position": info.position,
        "events": info.events,
        "error": info.error,
    }


def _now() -> int:
    return time.time_ns() // 1000
