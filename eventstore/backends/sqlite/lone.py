"""Lone events: appends of one event to a stream at a known version, which one statement checks and stores."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from eventstore.backend import WriteRequest, Written
from eventstore.backends.sqlite.connection import in_transaction
from eventstore.backends.sqlite.sql import Sql
from eventstore.companion import Insert
from eventstore.errors import AppendConditionFailed
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
    if len(requests) == 1:
        return _write_alone(cursor, sql, requests[0])
    now = time.time_ns() // 1000
    rows: list[_Parameters] = []
    for request in requests:
        row = _parameters(request, now)
        if row is None or _has_more(request) or len(row) != len(rows[0] if rows else row):
            return None
        rows.append(row)
    try:
        position = in_transaction(cursor, lambda: _insert_all(cursor, sql, rows)) - len(rows)
    except sqlite3.IntegrityError:  # at another version it would be a row without one, which the table refuses
        return None
    return [Written(position + i, {row[0]: row[1] + 1}) for i, row in enumerate(rows, 1)]


def write_with_inserts(
    cursor: sqlite3.Cursor, sql: Sql, request: WriteRequest, inserts: Sequence[Insert]
) -> Written | Exception | None:
    """Stores a lone event and the rows that go with it.

    Returns:
        None, and nothing is stored, where the request is more than that, or one of the rows is refused.
    """
    row = _parameters(request, time.time_ns() // 1000)
    if row is None:
        return None

    def insert() -> int:
        position = _check_and_insert(cursor, sql, request, row)
        for each in inserts:
            cursor.execute(f"INSERT INTO {each.into} VALUES ({each.values})", each.params)
        return position

    try:
        position = in_transaction(cursor, insert)
    except sqlite3.IntegrityError:
        return None
    except AppendConditionFailed as refusal:
        return refusal
    return Written(position, {row[0]: row[1] + 1})


def _insert_all(cursor: sqlite3.Cursor, sql: Sql, rows: Sequence[_Parameters]) -> int:
    """The last position."""
    cursor.executemany(sql.insert_lone[len(rows[0])], rows)
    return int(cursor.execute("SELECT last_insert_rowid()").fetchone()[0])


def _write_alone(cursor: sqlite3.Cursor, sql: Sql, request: WriteRequest) -> list[Written | Exception] | None:
    """In autocommit a statement is a transaction by itself: where tags or a condition need others, too, one is begun."""
    row = _parameters(request, time.time_ns() // 1000)
    if row is None:
        return None
    try:
        if _has_more(request):
            position = in_transaction(cursor, lambda: _check_and_insert(cursor, sql, request, row))
        else:
            cursor.execute(sql.insert_lone[len(row)], row)
            position = cursor.lastrowid or 0
    except sqlite3.IntegrityError:
        return None
    except AppendConditionFailed as refusal:
        return [refusal]
    return [Written(position, {row[0]: row[1] + 1})]


def _check_and_insert(cursor: sqlite3.Cursor, sql: Sql, request: WriteRequest, row: _Parameters) -> int:
    """The position, within a transaction."""
    condition, tags = request.condition, request.writes[0].tags
    if condition is not None:
        found = sql.find_conflict(cursor, condition)
        if found is not None:
            raise AppendConditionFailed(condition.after, found)
    cursor.execute(sql.insert_lone[len(row)], row)
    position = cursor.lastrowid or 0
    if tags is not None:
        cursor.executemany(sql.insert_tag, [(tag, row[3], position) for tag in tags[0]])
    return position


def _has_more(request: WriteRequest) -> bool:
    return request.condition is not None or request.writes[0].tags is not None


def _parameters(request: WriteRequest, now: int) -> _Parameters | None:
    first = request.writes[0]
    rows, expected = first.rows, first.expected
    if expected is NO_STREAM:
        expected = 0
    if type(expected) is not int or len(rows) > 1 or request.own_ids or len(request.writes) > 1:
        return None
    row = rows[0]
    if row[3:8] == BARE:
        return first.stream, expected, now, row[0], row[1], row[2], row[8]
    return first.stream, expected, now, *row
