"""Where a load begins, on SQLite: three short statements, which cost less here than one that joins everything."""

import sqlite3

from eventstore.backend import StreamRange
from eventstore.backends import log_sql
from eventstore.backends.snapshot_sql import SnapshotSql
from eventstore.snapshot import Beginning, SnapshotKind, StreamEnd


def begin(
    cursor: sqlite3.Cursor, sql: SnapshotSql, stream: str, kind: SnapshotKind, part: StreamRange, limit: int
) -> Beginning | None:
    """The newest snapshot within the part of the stream, and up to `limit` events of the part after it."""
    found = cursor.execute(*sql.newest(stream, kind, part)).fetchone()
    if found is None:
        return None
    version, position, event_id, state = found
    after = StreamRange(version, part.up_to_version, part.up_to_position, part.recorded_until_us)
    tail = cursor.execute(*log_sql.stream_payloads(sql.events, stream, after, limit)).fetchall()
    if not tail:
        return Beginning(state, StreamEnd(version, position, event_id), [], StreamEnd(version, position, event_id))
    last = cursor.execute(
        *log_sql.stream_page(sql.events, stream, _backwards(after), 1, "position, event_id")
    ).fetchone()
    return Beginning(state, StreamEnd(version, position, event_id), tail, StreamEnd(version + len(tail), *last))


def _backwards(part: StreamRange) -> StreamRange:
    return StreamRange(
        part.after_version, part.up_to_version, part.up_to_position, part.recorded_until_us, backwards=True
    )
