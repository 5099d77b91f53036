"""What a database knows of reporting views: what each one shows, and when it was refreshed."""

import json

import msgspec
from sqlalchemy import Connection

from eventstore.sql_database import SqlDatabase
from projections.targets.sql_clock import now_us

REMEMBERED = 50
"""How many superseded definitions of a view are known as such."""


class StoredView(msgspec.Struct, frozen=True):
    """A view as it was made last.

    Attributes:
        definition: the fingerprint of what it was made of.
        shown: the generations whose tables it reads, each as (projection, target, number).
        number: of the table that holds its rows; 0 where they are not kept.
        position: everything up to here is in them.
        events: how many events the tables had been folded from.
        refreshed_us: when they were computed, microseconds since 1970 UTC.
        seconds: how long that took.
        error: why it could not be made, or refreshed, the last time.
        superseded: the fingerprints of what it was made of before.
        now_us: the database's time at which this was asked.
    """

    definition: str
    shown: tuple[tuple[str, str, int], ...]
    number: int = 0
    position: int = 0
    events: int = 0
    refreshed_us: int = 0
    seconds: float = 0.0
    error: str | None = None
    superseded: tuple[str, ...] = ()
    now_us: int = 0

    def superseded_by(self, definition: str) -> tuple[str, ...]:
        """What will have been superseded when it is made of something else, or of the same again."""
        former = dict.fromkeys([*self.superseded, self.definition])
        return tuple(each for each in former if each not in {"", definition})[-REMEMBERED:]


class ViewRegistry:
    """The table of the reporting views of one database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._table = database.qualified(f"{database.prefix}views")
        self._mark = "?" if database.dialect == "sqlite" else "%s"
        self._columns = "definition, shown, number, position, events, refreshed_at, seconds, error, superseded"

    def find(self, connection: Connection, name: str) -> StoredView | None:
        """A view as it was made last; None where it never was."""
        now = now_us(self._database.dialect)
        sql = f"SELECT {self._columns}, {now} FROM {self._table} WHERE name = {self._mark}"
        row = connection.exec_driver_sql(sql, (name,)).one_or_none()
        if row is None:
            return None
        shown = tuple((str(one), str(two), int(three)) for one, two, three in json.loads(row[1]))
        rest = (*row[2:8], tuple(json.loads(row[8])), row[9])
        return StoredView(row[0], shown, *rest)

    def put(self, connection: Connection, name: str, view: StoredView) -> None:
        """Remembers a view that was made or refreshed just now."""
        self.remove(connection, name)
        now = now_us(self._database.dialect)
        before, after = (", ".join([self._mark] * each) for each in (6, 3))
        sql = f"INSERT INTO {self._table} (name, {self._columns}) VALUES ({before}, {now}, {after})"
        told = (view.definition, json.dumps(view.shown), view.number, view.position, view.events)
        connection.exec_driver_sql(sql, (name, *told, view.seconds, view.error, json.dumps(view.superseded)))

    def failed(self, connection: Connection, name: str, error: str) -> None:
        """Remembers why a view could not be made or refreshed; what it shows stays."""
        update = f"UPDATE {self._table} SET error = {self._mark} WHERE name = {self._mark}"
        if connection.exec_driver_sql(update, (error, name)).rowcount:
            return
        self.put(connection, name, StoredView("", (), error=error))

    def over(self, connection: Connection, generation: tuple[str, str, int]) -> dict[str, int]:
        """The views that show a generation, each with the number of the table that holds its rows."""
        found = connection.exec_driver_sql(f"SELECT name, shown, number FROM {self._table}")
        return {name: number for name, shown, number in found if list(generation) in json.loads(shown)}

    def remove(self, connection: Connection, name: str) -> None:
        """Forgets a view."""
        connection.exec_driver_sql(f"DELETE FROM {self._table} WHERE name = {self._mark}", (name,))
