"""Where a load begins, on PostgreSQL: one statement, because each further one is a round trip."""

from collections.abc import Callable
from typing import TypeAlias

from eventstore.backend import StreamRange
from eventstore.backends.log_sql import LABEL, Statement
from eventstore.backends.snapshot_sql import SnapshotSql, bounds
from eventstore.snapshot import Beginning, SnapshotKind, StreamEnd

TailRow: TypeAlias = tuple[int, int, str, str | None, str]
"""Version, position, event id, label and payload of an event; a snapshot has no label, and its state for a payload."""


def begin(
    read: Callable[[Statement], list[TailRow]],
    sql: SnapshotSql,
    stream: str,
    kind: SnapshotKind,
    part: StreamRange,
    limit: int,
) -> Beginning | None:
    """The newest snapshot within the part of the stream, and up to `limit` events of the part after it."""
    rows = read(_snapshot_and_tail(sql, stream, kind, part, limit))
    if not rows:
        return None
    rows.sort(key=_version)  # UNION ALL promises no order
    tail = [(str(label), payload) for _, _, _, label, payload in rows[1:]]
    first, last = rows[0], rows[-1]
    end = StreamEnd(first[0] + len(tail), last[1], last[2])
    return Beginning(first[4], StreamEnd(first[0], first[1], first[2]), tail, end)


def _snapshot_and_tail(sql: SnapshotSql, stream: str, kind: SnapshotKind, part: StreamRange, limit: int) -> Statement:
    newest, params = sql.newest(stream, kind, part)
    clause, values = bounds("e", part)
    text = f"""
        WITH base AS MATERIALIZED ({newest})
        SELECT version, position, event_id, NULL, state FROM base
        UNION ALL
        SELECT * FROM (
            SELECT e.version, e.position, e.event_id::text, {LABEL}, e.payload FROM {sql.events} e
            WHERE e.stream = ? AND e.version > (SELECT version FROM base){clause}
            ORDER BY e.version LIMIT ?
        ) AS tail"""
    return text, [*params, stream, *values, limit]


def _version(row: TailRow) -> int:
    return row[0]
