"""A log as JSON lines, one for each row: what proves that two logs are the same, and what a digest is made of."""

from typing import NamedTuple

import msgspec

from eventstore.backend import Backend, LogFilter, Row
from eventstore.backends.log_sql import COLUMNS
from eventstore.sql_database import SqlDatabase

encode_rows = msgspec.json.Encoder().encode_lines


class LogLines(NamedTuple):
    """A part of a log.

    Attributes:
        events: how many there are.
        position: of the last one; 0 where there is none.
        data: a line for each, as `encode_rows` makes it of its row.
    """

    events: int
    position: int
    data: bytes


def read_lines(backend: Backend, after: int, up_to: int, limit: int) -> LogLines:
    """Up to `limit` events with `after < position <= up_to`, oldest first."""
    if backend.sql is not None and backend.sql.dialect == "sqlite":
        return _lines_of_sqlite(backend.sql, after, up_to, limit)
    return lines_of(backend.log_page(LogFilter(), after, up_to, limit))


def lines_of(rows: list[Row]) -> LogLines:
    """Rows as lines."""
    return LogLines(len(rows), rows[-1][0] if rows else 0, encode_rows(rows))


def _lines_of_sqlite(database: SqlDatabase, after: int, up_to: int, limit: int) -> LogLines:
    """In one step of SQLite, which leaves other threads alone meanwhile and makes no object of any row."""
    events = f"{database.prefix}events"
    sql = f"""
        SELECT count(*), coalesce(max(position), 0),
               coalesce(CAST(group_concat(json_array({COLUMNS}), char(10)) || char(10) AS BLOB), x'')
        FROM {events} WHERE position > ?1 AND position <= (
            SELECT max(position) FROM (
                SELECT position FROM {events} WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3))"""
    with database.reading() as connection:
        return LogLines(*connection.exec_driver_sql(sql, (after, up_to, limit)).one())
