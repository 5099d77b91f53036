"""Lone events: appends of one event without tags to a stream at a known version, each checked and stored by one statement."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from eventstore.backend import WriteRequest, Written
from eventstore.backends.sqlite.connection import transaction
from eventstore.backends.sqlite.sql import Sql
from eventstore.expected import NO_STREAM

BARE = (None,) * 5
"""What a row has from `occurred_at` to its tags where nothing travels beside the event. To bind each of these NULLs
would cost a third of the statement."""

_Parameters: TypeAlias = tuple[Any, ...]
"""Stream, expected version, instant, and the row: with what is `BARE`, or without."""


def write_lone(cursor: sqlite3.Cursor, sql: Sql, requests: Sequence[WriteRequest]) -> list[Written | Exception] | None:
    """Stores lone events in a transaction of their own.

    Returns:
        None, and nothing is stored, where one of the streams is at another version, or one of the requests is more than that.
    """
    now = time.time_ns() // 1000
    rows: list[_Parameters] = []
    for request in requests:
        parameters = _parameters(request, now)
        if parameters is None:
            return None
        rows.append(parameters)
    row = rows[0]
    size = len(row)
    try:
        if len(rows) == 1:
            cursor.execute(sql.insert_lone[size], row)  # in autocommit, a statement is a transaction by itself
            return [Written(cursor.lastrowid or 0, {row[0]: row[1] + 1})]
        if any(len(each) != size for each in rows):
            return None
        with transaction(cursor):
            cursor.executemany(sql.insert_lone[size], rows)
            position = cursor.execute("SELECT last_insert_rowid()").fetchone()[0] - len(rows)
    except sqlite3.IntegrityError:  # at another version it would be a row without one, which the table refuses
        return None
    return [Written(position + i, {row[0]: row[1] + 1}) for i, row in enumerate(rows, 1)]


def _parameters(request: WriteRequest, now: int) -> _Parameters | None:
    first = request.writes[0]
    rows, expected = first.rows, first.expected
    if expected is NO_STREAM:
        expected = 0
    if (
        type(expected) is not int
        or len(rows) > 1
        or first.tags is not None
        or request.condition is not None
        or request.own_ids
        or len(request.writes) > 1
    ):
        return None
    row = rows[0]
    if row[3:8] == BARE:
        return first.stream, expected, now, row[0], row[1], row[2], row[8]
    return first.stream, expected, now, *row
