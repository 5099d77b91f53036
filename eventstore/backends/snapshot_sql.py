"""Snapshots in a relational database. The load is one hot statement; all else is for a background thread and the CLI."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import text

from eventstore.backend import StreamRange
from eventstore.backends.log_sql import Statement
from eventstore.snapshot import Beginning, NewSnapshot, Snapshot, SnapshotCount, SnapshotKind
from eventstore.sql_database import SqlDatabase

Begin: TypeAlias = "Callable[[SnapshotSql, str, SnapshotKind, StreamRange, int], Beginning | None]"


class SnapshotSql:
    """The hot statement over a log and its snapshots.

    Args:
        events: the table of events.
        snapshots: the table of snapshots.
    """

    def __init__(self, events: str, snapshots: str) -> None:
        self.events = events
        self.snapshots = snapshots

    def newest(self, stream: str, kind: SnapshotKind, part: StreamRange) -> Statement:
        """The newest snapshot within a part of a stream whose event is in the log: version, position, event id, state."""
        clause, values = bounds("s", part)
        sql = f"""
            SELECT s.version, s.position, CAST(e.event_id AS TEXT) AS event_id, s.state
            FROM {self.snapshots} s JOIN {self.events} e ON e.stream = s.stream AND e.version = s.version
            WHERE s.stream = ? AND s.aggregate = ? AND s.fingerprint = ? AND e.event_id = s.event_id{clause}
            ORDER BY s.version DESC LIMIT 1"""
        return sql, [stream, kind.aggregate, kind.fingerprint, *values]


def bounds(table: str, part: StreamRange) -> tuple[str, list[Any]]:
    """The upper bounds of a part as conditions on a table, and their values."""
    columns = (
        ("version", part.up_to_version),
        ("position", part.up_to_position),
        ("recorded_at", part.recorded_until_us),
    )
    wanted = [(column, value) for column, value in columns if value is not None]
    return "".join(f" AND {table}.{column} <= ?" for column, _ in wanted), [value for _, value in wanted]


class SqlSnapshots:
    """The table of snapshots beside the log.

    Args:
        database: where both are; its transactions need not wait for the disk, since a snapshot can be lost.
        begin: reads a snapshot and its tail on the log's fastest way.
    """

    def __init__(self, database: SqlDatabase, begin: Begin) -> None:
        self._database = database
        self._begin = begin
        self._snapshots = database.qualified(f"{database.prefix}snapshots")
        self._events = database.qualified(f"{database.prefix}events")
        self._sql = SnapshotSql(self._events, self._snapshots)
        self._in_log = f"""
            EXISTS (SELECT 1 FROM {self._events} e
                    WHERE e.stream = s.stream AND e.version = s.version AND e.event_id = s.event_id)"""

    def begin(self, stream: str, kind: SnapshotKind, part: StreamRange, limit: int) -> Beginning | None:
        """The newest snapshot within the part of the stream, and up to `limit` events of the part after it."""
        return self._begin(self._sql, stream, kind, part, limit)

    def save(self, new: NewSnapshot, keep: int) -> bool:
        """Keeps a snapshot, if its event is in the log, and the `keep` newest of its kind and stream with it."""
        values = {
            "stream": new.stream,
            "version": new.version,
            "event_id": new.event_id,
            "state": new.state,
            **new.kind._asdict(),
            "taken_at": time.time_ns() // 1000,
        }
        older = {"stream": new.stream, **new.kind._asdict(), "skip": keep - 1}
        with self._database.transaction() as connection:
            connection.execute(text(self._delete_strangers), {"stream": new.stream})
            stored = connection.execute(text(self._insert), values).rowcount
            connection.execute(text(self._delete_older), older)
        return bool(stored)

    @property
    def _delete_strangers(self) -> str:
        return f"DELETE FROM {self._snapshots} AS s WHERE s.stream = :stream AND NOT {self._in_log}"

    @property
    def _insert(self) -> str:
        """`recorded_at` is the latest of all events up to the version: PostgreSQL's clock may have been set back."""
        below = (
            f"{self._snapshots} b WHERE b.stream = :stream AND b.version <= :version ORDER BY b.version DESC LIMIT 1"
        )
        recorded = f"""
            (SELECT max(latest) FROM (
                SELECT (SELECT b.recorded_at FROM {below}) AS latest
                UNION ALL
                SELECT max(x.recorded_at) FROM {self._events} x WHERE x.stream = :stream
                AND x.version <= :version AND x.version > coalesce((SELECT b.version FROM {below}), 0)) AS either)"""
        return f"""
            INSERT INTO {self._snapshots}
                (stream, aggregate, fingerprint, version, position, event_id, recorded_at, taken_at, state)
            SELECT e.stream, :aggregate, :fingerprint, e.version, e.position, e.event_id, {recorded}, :taken_at, :state
            FROM {self._events} e WHERE e.stream = :stream AND e.version = :version AND CAST(e.event_id AS TEXT) = :event_id
            ON CONFLICT (stream, aggregate, fingerprint, version) DO UPDATE SET
                position = excluded.position, event_id = excluded.event_id, recorded_at = excluded.recorded_at,
                taken_at = excluded.taken_at, state = excluded.state"""

    @property
    def _delete_older(self) -> str:
        same = "stream = :stream AND aggregate = :aggregate AND fingerprint = :fingerprint"
        return f"""
            DELETE FROM {self._snapshots} WHERE {same} AND version < (
                SELECT version FROM {self._snapshots} WHERE {same} ORDER BY version DESC LIMIT 1 OFFSET :skip)"""

    def page(self, kind: SnapshotKind, after: tuple[str, int], stream: str | None, limit: int) -> list[Snapshot]:
        """Up to `limit` snapshots after a stream and a version, in that order; of one stream where it is named."""
        sql = f"""
            SELECT s.stream, s.version, s.state, s.taken_at, {self._in_log} FROM {self._snapshots} s
            WHERE s.aggregate = :aggregate AND s.fingerprint = :fingerprint AND (s.stream, s.version) > (:after, :version)
            {"AND s.stream = :stream" if stream is not None else ""}
            ORDER BY s.stream, s.version LIMIT :limit"""
        values = {**kind._asdict(), "after": after[0], "version": after[1], "limit": limit}
        rows = self._all(sql, values if stream is None else {**values, "stream": stream})
        return [Snapshot(name, version, state, taken, bool(in_log)) for name, version, state, taken, in_log in rows]

    def counts(self) -> list[SnapshotCount]:
        """How many there are of each kind."""
        sql = f"""
            SELECT aggregate, fingerprint, count(DISTINCT CASE WHEN in_log THEN stream END), count(*),
                   coalesce(sum(CASE WHEN in_log THEN length(state) END), 0), sum(CASE WHEN in_log THEN 0 ELSE 1 END),
                   max(taken_at)
            FROM (SELECT s.*, {self._in_log} AS in_log FROM {self._snapshots} s) AS found
            GROUP BY aggregate, fingerprint ORDER BY aggregate, fingerprint"""
        return [SnapshotCount(*row) for row in self._all(sql, {})]

    def delete(self, kind: SnapshotKind, *, ahead_only: bool = False) -> int:
        """Deletes all of a kind, or those of events that the log does not hold; returns how many."""
        sql = f"DELETE FROM {self._snapshots} AS s WHERE s.aggregate = :aggregate AND s.fingerprint = :fingerprint"
        with self._database.transaction() as connection:
            return connection.execute(
                text(f"{sql} AND NOT {self._in_log}" if ahead_only else sql), kind._asdict()
            ).rowcount

    def _all(self, sql: str, values: dict[str, Any]) -> list[Any]:
        with self._database.reading() as connection:
            return list(connection.execute(text(sql), values))
