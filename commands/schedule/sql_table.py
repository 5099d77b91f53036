"""Scheduled commands in the log's SQL database."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
from sqlalchemy import Connection

from commands.schedule.recurrence import Recurrence
from commands.schedule.scheduled import Carried, Scheduled, State
from commands.schedule.sql_statements import statements
from commands.schedule.table import ScheduleCounts, Takes
from eventstore.sql_database import SqlDatabase

_BEFORE_ALL = -(2**62)
"""An instant before all others."""


class SqlSchedules:
    """See `commands.schedule.table.ScheduleTable`.

    Who takes what is due in hand locks it first, and passes over what somebody else has locked (PostgreSQL), or has the one turn
    to write (SQLite).
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._sql = statements(database.qualified(f"{database.prefix}schedules"), database.dialect)

    def keep(self, connection: Connection | None, rows: Sequence[Scheduled]) -> None:
        """Keeps new ones, and named ones that are not there as they are now."""
        with self._database.durable() if connection is None else nullcontext(connection) as writer:
            if unnamed := [_values(each) for each in rows if each.name is None]:
                writer.exec_driver_sql(self._sql["insert"], unnamed)
            for each in rows:
                if each.name is not None:
                    writer.exec_driver_sql(self._sql["declare"], _values(each))

    def find(self, which: str) -> Scheduled | None:
        """One of them."""
        with self._database.reading() as connection:
            rows = connection.exec_driver_sql(self._sql["find"], (which, which)).all()
        return _scheduled(rows[0]) if rows else None

    def page(self, states: Sequence[str], limit: int, after: Scheduled | None = None) -> list[Scheduled]:
        """Those in these states, by when they are due; only those after one, where one is given."""
        where = (_BEFORE_ALL, "") if after is None else (after.due_us, after.id)
        with self._database.reading() as connection:
            rows = connection.exec_driver_sql(self._sql["page"], (_list(states), *where, limit)).all()
        return [_scheduled(each) for each in rows]

    def counts(self, now_us: int) -> ScheduleCounts:
        """How they do."""
        with self._database.reading() as connection:
            waiting, due, first, failed = connection.exec_driver_sql(self._sql["counts"], (now_us,)).one()
        return ScheduleCounts(waiting, due, failed, first)

    def next_look(self, takes: Takes) -> int | None:
        """When a worker is to look at one next."""
        with self._database.reading() as connection:
            rows = connection.exec_driver_sql(self._sql["next_look"], _taken(takes)[::-1]).all()
        return None if rows[0][0] is None else int(rows[0][0])

    def lease(self, takes: Takes, now_us: int, until_us: int, owner: str, limit: int) -> list[Scheduled]:
        """Takes what is due in hand."""
        commands, names = _taken(takes)
        values = (commands, now_us, names, limit, limit, owner, until_us)
        with self._database.transaction() as connection:
            rows = connection.exec_driver_sql(self._sql["lease"], values).all()
        return sorted(map(_scheduled, rows), key=lambda each: (each.due_us, each.id))

    def renew(self, owner: str, until_us: int) -> None:
        """Has others leave alone what an owner has in hand."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql(self._sql["renew"], (until_us, owner))

    def take(self, which: str, until_us: int, owner: str) -> Scheduled | None:
        """Takes one in hand."""
        with self._database.transaction() as connection:
            rows = connection.exec_driver_sql(self._sql["take"], (owner, until_us, which, which)).all()
        return _scheduled(rows[0]) if rows else None

    def move(self, connection: Connection | None, moves: Sequence[tuple[Scheduled, Scheduled]]) -> int:
        """Puts each row in the place of the one before it. In the order of their ids, so that nobody waits in a circle."""
        moved = 0
        with self._database.transaction() if connection is None else nullcontext(connection) as writer:
            for before, after in sorted(moves, key=lambda move: move[0].id):
                now = (after.state, after.due_us, after.look_us, after.owner, after.attempts, after.fired, after.error)
                where = (before.id, before.due_us, before.fired)
                moved += writer.exec_driver_sql(self._sql["move"], (*now, after.ended_us, *where)).rowcount
        return moved

    def cancel(self, which: str, now_us: int) -> bool:
        """Ends one that waits or has failed."""
        with self._database.durable() as connection:
            return connection.exec_driver_sql(self._sql["cancel"], (now_us, which, which)).rowcount > 0

    def prune(self, state: State, before_us: int, limit: int) -> int:
        """Forgets those that have ended."""
        with self._database.transaction() as connection:
            return connection.exec_driver_sql(self._sql["prune"], (state, before_us, limit)).rowcount

    def forget(self, rows: Sequence[Scheduled], moves: Sequence[tuple[Scheduled, Scheduled]]) -> None:
        """Nothing: the transaction ends."""


def _taken(takes: Takes) -> tuple[str, str]:
    return _list(takes.commands), _list(takes.names)


def _list(texts: Sequence[str]) -> str:
    return _json(list(texts))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _values(row: Scheduled) -> tuple[Any, ...]:
    recurrence = "" if row.recurrence is None else _json(row.recurrence)
    what = (row.id, row.name, int(row.declared), row.command, row.data, _json(row.carried), recurrence, row.missed)
    stand = (row.state, row.due_us, row.look_us, row.owner, row.attempts, row.fired, row.error)
    return (*what, *stand, row.made_us, row.ended_us)


def _scheduled(row: Any) -> Scheduled:
    id_, name, declared, command, data, carried, recurrence, missed, *stand, made, ended = row
    state, due, look, owner, attempts, fired, error = stand
    return Scheduled(
        id=id_,
        name=name,
        declared=bool(declared),
        command=command,
        data=data,
        carried=msgspec.json.decode(carried, type=Carried),
        recurrence=msgspec.json.decode(recurrence, type=Recurrence) if recurrence else None,
        missed=missed,
        state=state,
        due_us=due,
        look_us=look,
        owner=owner,
        attempts=attempts,
        fired=fired,
        error=error,
        made_us=made,
        ended_us=ended,
    )
