"""Appends to a SQLite log, inside a write transaction that the caller holds."""

import sqlite3
import time
from collections.abc import Iterable, Sequence

from eventstore.backend import Row, WriteRequest, Written
from eventstore.backends.sqlite.lone import BARE
from eventstore.backends.sqlite.sql import Sql
from eventstore.companion import Stored
from eventstore.errors import AppendConditionFailed, EventfoldError
from eventstore.expected import verify_expected
from eventstore.repetition import first_result, rows_of


def write_group(
    cursor: sqlite3.Cursor, sql: Sql, requests: Sequence[WriteRequest]
) -> tuple[list[Written | Exception], list[Stored]]:
    """Stores each request that is acceptable; the others get their own error and leave nothing behind.

    Returns:
        What came of each, and those that were stored now and not before.
    """
    group = _Group(cursor, sql, {write.stream for request in requests for write in request.writes})
    outcomes: list[Written | Exception] = []
    for request in requests:
        try:
            outcomes.append(group.add(request))
        except EventfoldError as error:
            outcomes.append(error)
    group.flush()
    return outcomes, group.stored


def write(cursor: sqlite3.Cursor, sql: Sql, request: WriteRequest) -> tuple[Written, list[Stored]]:
    """Checks everything, then stores everything: a refusal comes before the first row is written.

    Raises:
        WrongExpectedVersion, AppendConditionFailed, DuplicateEventId: nothing of the request was stored.
    """
    group = _Group(cursor, sql, [each.stream for each in request.writes])
    written = group.add(request)
    group.flush()
    return written, group.stored


class _Group:
    """What a transaction has seen and is about to store: the log's end and the versions of the streams concerned.

    One statement reads them for all requests, and one stores all events.
    """

    def __init__(self, cursor: sqlite3.Cursor, sql: Sql, streams: Iterable[str]) -> None:
        self._cursor = cursor
        self._sql = sql
        self._position, last_us, self._versions = sql.tails(cursor, list(streams))
        self._now = max(time.time_ns() // 1000, last_us)
        self._bare: list[tuple[int, str, int, int, str, int, str, str]] = []
        self._full: list[Row] = []
        self._tags: list[tuple[str, str, int]] = []
        self.stored: list[Stored] = []

    def add(self, request: WriteRequest) -> Written:
        """Checks a request against everything before it, and takes its events in."""
        if request.own_ids or request.condition is not None:
            self.flush()
            repeated = self._find_repetition(request) if request.own_ids else None
            if repeated is not None:
                return repeated
            self._check_condition(request)
        versions = self._versions
        for each in request.writes:
            verify_expected(each.stream, each.expected, versions[each.stream])
        position, now = self._position, self._now
        for write in request.writes:
            stream, rows, tags = write.stream, write.rows, write.tags
            version = versions[stream]
            for row in rows:
                position += 1
                version += 1
                if row[3:8] == BARE:
                    self._bare.append((position, stream, version, now, row[0], row[1], row[2], row[8]))
                else:
                    self._full.append((position, stream, version, now, *row))
            versions[stream] = version
            if tags is not None:
                first = position - len(rows) + 1
                self._tags += [(tag, row[0], first + i) for i, row in enumerate(rows) for tag in tags[i]]
        self._position = position
        written = Written(position, {each.stream: versions[each.stream] for each in request.writes if each.rows})
        self.stored.append(Stored(request, written))
        return written

    def flush(self) -> None:
        """Stores what was taken in."""
        if self._bare:
            self._cursor.executemany(self._sql.insert_bare, self._bare)
        if self._full:
            self._cursor.executemany(self._sql.insert_event, self._full)
        if self._tags:
            self._cursor.executemany(self._sql.insert_tag, self._tags)
        self._bare, self._full, self._tags = [], [], []

    def _check_condition(self, request: WriteRequest) -> None:
        if request.condition is None:
            return
        found = self._sql.find_conflict(self._cursor, request.condition)
        if found is not None:
            raise AppendConditionFailed(request.condition.after, found)

    def _find_repetition(self, request: WriteRequest) -> Written | None:
        """The first result, where the same batch with the same ids is in the log already; None where no id is."""
        rows = rows_of(request)
        return first_result(
            rows, [self._cursor.execute(self._sql.event_by_id, (row[2],)).fetchone() for _, row in rows]
        )
