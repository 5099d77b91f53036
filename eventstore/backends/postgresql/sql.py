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
        self.append_single = self._append_one("$8::bigint, $9, $10, $11, NULL")
        self.append_plain = self._append_plain()
        self.append_lone = f"SELECT reached::text, stored::text FROM {self.name}append_lone({_marks(17)})"
        self.append = f"""
            SELECT array_to_string(versions, ','), array_to_string(conflicts, ',', '-'), first_position::text,
                   array_to_string(positions, ','), repeated::text
            FROM {self.name}append({_marks(24)})"""
        self.exclude = f"""
            SELECT count(pg_advisory_xact_lock('{self.tags}'::regclass::oid::integer, k.key))
            FROM unnest(string_to_array($1, ',')::integer[]) AS k(key)"""
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

    def _lock(self, table: str, key: str) -> str:
        return f"pg_advisory_xact_lock_shared('{table}'::regclass::oid::integer, {key})"

    @property
    def _in_flight(self) -> str:
        """The lock on the last position `p`, which readers cannot pass; see ADR 0001."""
        last = "((CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END) & 2147483647)::integer"
        return self._lock(self.positions, last)

    def _version(self, wanted: str) -> str:
        """A stream's version, or 0 where it is below the one wanted: an index reads no further than it is told to."""
        return f"""coalesce((SELECT e.version FROM {self.events} e WHERE e.stream = s.stream AND e.version >= {wanted}
                                 ORDER BY e.version DESC LIMIT 1), 0)"""

    def _append_one(self, beside: str) -> str:
        """One event without tags, in one statement: a function would cost 40 us more. No row says that it is refused.

        Each part takes its row from the one within it, so that they happen in order: the lock of what is written, then the
        one on the last position, and only then the next position.
        """
        return f"""
            INSERT INTO {self.events}
            SELECT nextval('{self.positions}'), s.stream, s.version + 1,
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $3, $4::integer, $5::uuid, {beside}, $7
            FROM (
                SELECT s.stream, s.written, {self._in_flight} AS in_flight, {self._version("$2::bigint")} AS version
                FROM (SELECT $1::text COLLATE "C" AS stream, {self._lock(self.tags, "$6::integer")} AS written OFFSET 0) AS s,
                     {self.positions} AS p
                OFFSET 0
            ) AS s
            WHERE ($2::bigint = -1 OR $2::bigint = version OR ($2::bigint = -2 AND version > 0))
            RETURNING version::text, position::text"""

    def _append_plain(self) -> str:
        """Any number of events without tags, in one statement; the function costs half as much again.

        Each part needs the row of the one before, so that they happen in order, as for one event. The lists are hidden from
        the planner behind `given`: it would otherwise plan anew for each, which costs more than the work itself.
        """
        return f"""
            WITH given AS MATERIALIZED (
                SELECT string_to_array($1, E'\x1e') AS streams, $2::bigint[] AS expected, $3::integer[] AS keys,
                       $4::integer[] AS writes, $5::integer[] AS steps, string_to_array($6, E'\x1e') AS types,
                       $7::integer[] AS schema_versions, string_to_array($8, E'\x1e')::uuid[] AS event_ids,
                       string_to_array($9, E'\x1e', E'\x1f')::bigint[] AS occurred_at,
                       string_to_array($10, E'\x1e', E'\x1f') AS correlation_ids,
                       string_to_array($11, E'\x1e', E'\x1f') AS causation_ids,
                       string_to_array($12, E'\x1e', E'\x1f') AS metadatas, string_to_array($13, E'\x1e') AS payloads
            ), written AS MATERIALIZED (
                SELECT count({self._lock(self.tags, "k.key")}) AS locks FROM given AS g, unnest(g.keys) AS k(key)
            ), found AS MATERIALIZED (
                SELECT array_agg(w.actual) AS versions,
                       bool_and(w.wanted = -1 OR w.wanted = w.actual OR (w.wanted = -2 AND w.actual > 0)) AS expected
                FROM (
                    SELECT s.wanted, {self._version("s.wanted")} AS actual
                    FROM given AS g, unnest(g.streams, g.expected) AS s(stream, wanted)
                ) AS w
            ), begun AS MATERIALIZED (
                SELECT found.versions, {self._in_flight} AS in_flight,
                       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
                FROM written, found, {self.positions} AS p WHERE found.expected AND written.locks > 0
            ), stored AS (
                INSERT INTO {self.events}
                SELECT nextval('{self.positions}'), g.streams[e.write], b.versions[e.write] + e.step, b.now_us, e.type,
                       e.schema_version, e.event_id, e.occurred_at, e.correlation_id, e.causation_id, e.metadata, NULL, e.payload
                FROM begun AS b, given AS g, unnest(
                    g.writes, g.steps, g.types, g.schema_versions, g.event_ids, g.occurred_at, g.correlation_ids,
                    g.causation_ids, g.metadatas, g.payloads
                ) AS e(write, step, type, schema_version, event_id, occurred_at, correlation_id, causation_id, metadata, payload)
                RETURNING position
            )
            SELECT array_to_string((SELECT versions FROM begun), ','), min(position)::text,
                   CASE WHEN max(position) - min(position) >= count(*)
                        THEN array_to_string(array_agg(position ORDER BY position), ',') END
            FROM stored HAVING count(*) > 0"""

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


def _marks(count: int) -> str:
    return ", ".join(f"${i}" for i in range(1, count + 1))


def numbered(statement: log_sql.Statement) -> tuple[str, list[str | None]]:
    """A shared statement in this backend's spelling: `$1` for `?`, and every parameter as text."""
    sql, params = statement
    count = iter(range(1, len(params) + 1))
    marked = re.sub(r"\?", lambda _: f"${next(count)}", sql)
    texts = [None if each is None else str(each) for each in params]
    return marked.replace(log_sql.COLUMNS, COLUMNS, 1), texts
