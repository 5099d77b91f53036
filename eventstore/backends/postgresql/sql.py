"""Every statement that the PostgreSQL backend runs, named. The longer ones are functions, made by the migration.

Every parameter is sent as text, and the server infers its type: an integer adapted by the driver changes its type with
its size, and every type would be a prepared statement of its own.
"""

import re
from typing import TYPE_CHECKING

from eventstore.backend import LogFilter
from eventstore.backends import log_sql
from eventstore.query import Query, QueryItem

if TYPE_CHECKING:
    from eventstore.backends.postgresql.connection import Cursor

COLUMNS = log_sql.COLUMNS.replace("event_id", "event_id::text")


class Sql:
    """The statements for one log.

    Args:
        prefix: of its tables.
        schema: that holds them, or None for the first of the search path.
    """

    def __init__(self, prefix: str, schema: str | None) -> None:
        self.qualifier = f'"{schema}".' if schema else ""
        self.name = f"{self.qualifier}{prefix}"
        self.channel = f"{schema + '.' if schema else ''}{prefix}log"
        self.events = f"{self.name}events"
        self.tags = f"{self.name}event_tags"
        self.positions = f"{self.name}positions"

        self.append_bare = self._append_one("NULL, NULL, NULL, NULL, NULL")
        self.append_one = self._append_one(
            "$8::bigint, $9, $10, $11, $12",
            f" AND NOT ($13::boolean AND EXISTS (SELECT FROM {self.events} e WHERE e.event_id = $5::uuid))",
        )
        arguments = ", ".join(f"${i}" for i in range(1, 25))
        self.append = (
            f"SELECT versions, conflicts, first_position, positions, repeated FROM {self.name}append({arguments})"
        )
        self.events_by_id = (
            f"SELECT {COLUMNS} FROM {self.events} WHERE event_id = ANY (string_to_array($1, ',')::uuid[])"
        )
        self.caused_by = f"""
            SELECT {COLUMNS} FROM {self.events}
            WHERE causation_id = ANY (string_to_array($1, E'\\x1e')) ORDER BY position"""
        self.stream_version = f"SELECT coalesce(max(version), 0) FROM {self.events} WHERE stream = $1"
        self.horizon = f"SELECT {self.name}horizon()"
        self.first_recorded_after = f"SELECT {self.name}first_recorded_after($1, {self.name}horizon())"
        self.count = f"SELECT count(*) FROM {self.events}"
        self.stalled = f"""
            SELECT coalesce(f.pid, 0), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8,
                   f.behind, coalesce(concat_ws(', waiting for ', a.state, a.wait_event), 'a prepared transaction')
            FROM (SELECT last_value AS position FROM {self.positions}) AS last,
                 LATERAL (SELECT pid, min(behind) AS behind
                          FROM {self.name}in_flight(last.position) GROUP BY pid) AS f
            LEFT JOIN pg_stat_activity a ON a.pid = f.pid
            ORDER BY a.xact_start NULLS FIRST, f.behind"""
        self.streams = self._streams()

    def expand_filter(self, cursor: "Cursor", wanted: LogFilter) -> LogFilter:
        """The filter with the rarest tag of each item first, and with the types of items that name none."""
        if wanted.query is None or not any(item.tags for item in wanted.query.items):
            return wanted
        items = tuple(self._expand_item(cursor, item) for item in wanted.query.items if item.tags or item.types)
        return LogFilter(wanted.category, wanted.stream, Query(items), wanted.since_us, wanted.until_us)

    def _expand_item(self, cursor: "Cursor", item: QueryItem) -> QueryItem:
        tags, types = item.tags, item.types
        if len(tags) > 1:
            sizes = ", ".join(f"({log_sql.tag_size(self.tags)})" for _ in tags)
            found = cursor.execute(*numbered((f"SELECT {sizes}", list(tags)))).fetchone() or ()
            tags = tuple(tag for _, tag in sorted(zip(found, tags, strict=True)))
        if tags and not types:
            found = cursor.execute(*numbered((log_sql.types_of_tag(self.tags), [tags[0], tags[0]])))
            types = tuple(str(row[0]) for row in found)
        return QueryItem(types, tags)

    def _append_one(self, beside: str, unless: str = "") -> str:
        """One event without tags, in one statement: a function would cost 40 us more.

        Each part takes its row from the one before, so that they happen in order: the lock of what is written, then the
        one on the last position, and only then the next position.
        """
        return f"""
            WITH written AS MATERIALIZED (
                SELECT pg_advisory_xact_lock_shared('{self.tags}'::regclass::oid::integer, $6::integer) AS lock
            ), found AS MATERIALIZED (
                SELECT written.lock,
                       pg_advisory_xact_lock_shared(
                           '{self.positions}'::regclass::oid::integer,
                           ((CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END) & 2147483647)::integer),
                       coalesce((SELECT e.version FROM {self.events} e WHERE e.stream = $1
                                 ORDER BY e.version DESC LIMIT 1), 0) AS version
                FROM written, {self.positions} AS p
            ), stored AS (
                INSERT INTO {self.events}
                SELECT nextval('{self.positions}'), $1, version + 1,
                       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $3, $4::integer, $5::uuid, {beside}, $7
                FROM found
                WHERE ($2::bigint = -1 OR $2::bigint = version OR ($2::bigint = -2 AND version > 0)){unless}
                RETURNING position
            )
            SELECT version, (SELECT position FROM stored) FROM found"""

    def _streams(self) -> str:
        """A page of streams, hopping along the index from each name to the next."""
        hop = f"SELECT stream FROM {self.events} WHERE stream >"
        return f"""
            WITH RECURSIVE names(stream) AS (
                ({hop} $1 AND ($2::text IS NULL OR stream >= $2) ORDER BY stream LIMIT 1)
                UNION ALL
                SELECT next.stream FROM names, LATERAL (
                    {hop} names.stream AND ($2::text IS NULL OR stream < $2 || '.') ORDER BY stream LIMIT 1) AS next
            )
            SELECT names.stream, newest.version, first.recorded_at, newest.recorded_at, newest.position
            FROM names CROSS JOIN LATERAL (
                SELECT recorded_at FROM {self.events} e WHERE e.stream = names.stream
                ORDER BY version LIMIT 1) AS first
            CROSS JOIN LATERAL (
                SELECT version, recorded_at, position FROM {self.events} e WHERE e.stream = names.stream
                ORDER BY version DESC LIMIT 1) AS newest
            WHERE $2::text IS NULL OR names.stream = $2
               OR (names.stream >= $2 || '-' AND names.stream < $2 || '.')
            LIMIT $3"""


def numbered(statement: log_sql.Statement) -> tuple[str, list[str | None]]:
    """A shared statement in this backend's spelling: `$1` for `?`, and every parameter as text."""
    sql, params = statement
    count = iter(range(1, len(params) + 1))
    marked = re.sub(r"\?", lambda _: f"${next(count)}", sql)
    texts = [None if each is None else str(each) for each in params]
    return marked.replace(log_sql.COLUMNS, COLUMNS, 1), texts
