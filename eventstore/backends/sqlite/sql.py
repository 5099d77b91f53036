"""Every statement that the SQLite backend runs, named."""

import json
import sqlite3
from collections.abc import Sequence

from msgspec.structs import replace

from eventstore.backend import LogFilter
from eventstore.backends import log_sql
from eventstore.backends.sqlite.condition import conflict
from eventstore.query import AppendCondition, Query, QueryItem


class Sql:
    """The statements for one table prefix."""

    def __init__(self, prefix: str) -> None:
        self.events = f"{prefix}events"
        self.tags = f"{prefix}event_tags"

        self.insert_event = f"INSERT INTO {self.events} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self.insert_bare = f"INSERT INTO {self.events} VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, ?)"
        self.insert_tag = f"INSERT INTO {self.tags} (tag, type, position) VALUES (?, ?, ?)"
        # VALUES, not SELECT, which SQLite would gather in a table of its own: reading what it writes to
        lone = f"""
            INSERT INTO {self.events} VALUES (
                NULL, ?1, CASE (SELECT coalesce(max(version), 0) FROM {self.events} WHERE stream = ?1) WHEN ?2 THEN ?2 + 1 END,
                max(?3, coalesce((SELECT recorded_at FROM {self.events} ORDER BY position DESC LIMIT 1), 0)),
                ?4, ?5, ?6, %s)"""
        self.insert_lone = {  # by the number of parameters
            7: lone % "NULL, NULL, NULL, NULL, NULL, ?7",
            12: lone % "?7, ?8, ?9, ?10, ?11, ?12",
        }
        self.tail = f"""
            SELECT coalesce(max(position), 0),
                   coalesce((SELECT recorded_at FROM {self.events} ORDER BY position DESC LIMIT 1), 0),
                   (SELECT coalesce(max(version), 0) FROM {self.events} WHERE stream = ?)
            FROM {self.events}"""
        self.versions = f"""
            SELECT value, (SELECT coalesce(max(version), 0) FROM {self.events} WHERE stream = value) FROM json_each(?)"""
        self.event_by_id = f"SELECT {log_sql.COLUMNS} FROM {self.events} WHERE event_id = ?"
        self.caused_by = f"""
            SELECT {log_sql.COLUMNS} FROM {self.events}
            WHERE causation_id IN (SELECT value FROM json_each(?)) ORDER BY position"""
        self.stream_version = f"SELECT coalesce(max(version), 0) FROM {self.events} WHERE stream = ?"
        self.head = f"SELECT coalesce(max(position), 0) FROM {self.events}"
        self.count = f"SELECT count(*) FROM {self.events}"
        self.recorded_near = (
            f"SELECT min(position) FROM {self.events} WHERE position > ? - 5000 AND position < ? AND recorded_at > ?"
        )
        self.recorded_from = (
            f"SELECT position, recorded_at FROM {self.events} WHERE position >= ? ORDER BY position LIMIT 1"
        )
        self.streams = f"""
            WITH names AS (
                SELECT stream, max(version) AS version FROM {self.events}
                WHERE stream > ? AND (? IS NULL OR stream = ? OR (stream >= ? || '-' AND stream < ? || '.'))
                GROUP BY stream ORDER BY stream LIMIT ?
            )
            SELECT names.stream, names.version, first.recorded_at, last.recorded_at, last.position
            FROM names
            JOIN {self.events} AS first ON first.stream = names.stream AND first.version = 1
            JOIN {self.events} AS last ON last.stream = names.stream AND last.version = names.version
            ORDER BY names.stream"""

    def tails(self, cursor: sqlite3.Cursor, streams: Sequence[str]) -> tuple[int, int, dict[str, int]]:
        """The last position and instant of the log, and the version of each stream."""
        if len(streams) == 1:
            position, instant, version = cursor.execute(self.tail, streams).fetchone()
            return position, instant, {streams[0]: version}
        position, instant, _ = cursor.execute(self.tail, ("",)).fetchone()
        found = cursor.execute(self.versions, (json.dumps(streams),)).fetchall()
        return position, instant, dict(found)

    def find_conflict(self, cursor: sqlite3.Cursor, condition: AppendCondition) -> int | None:
        """A position that refuses the append."""
        statement = conflict(self.tags, condition)
        if statement is None:
            query = self.expand(cursor, condition.query)
            statement = log_sql.conflict(self.events, self.tags, query, condition.after)
        if statement is None:
            return None
        found = cursor.execute(*statement).fetchone()
        return None if found is None else int(found[0])

    def expand(self, cursor: sqlite3.Cursor, query: Query) -> Query:
        """The same query with the rarest tag of each item first, and with the types of items that name none."""
        return Query(tuple(self._expand_item(cursor, item) for item in query.items if item.tags or item.types))

    def _expand_item(self, cursor: sqlite3.Cursor, item: QueryItem) -> QueryItem:
        tags, types = item.tags, item.types
        if len(tags) > 1:
            size = log_sql.tag_size(self.tags)
            tags = tuple(sorted(tags, key=lambda tag: int(cursor.execute(size, (tag,)).fetchone()[0])))
        if tags and not types:
            found = cursor.execute(log_sql.types_of_tag(self.tags), (tags[0], tags[0]))
            types = tuple(str(row[0]) for row in found)
        return QueryItem(types, tags)

    def expand_filter(self, cursor: sqlite3.Cursor, wanted: LogFilter) -> LogFilter:
        """The filter with its query expanded."""
        if wanted.query is None or not any(item.tags for item in wanted.query.items):
            return wanted
        return replace(wanted, query=self.expand(cursor, wanted.query))
