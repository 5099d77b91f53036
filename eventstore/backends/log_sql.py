"""The SQL that every relational backend shares: filters over the log, and conditions over types and tags.

Statements use `?` for parameters; a backend whose driver wants another mark replaces it.
"""

from collections.abc import Sequence
from typing import Any

from eventstore.backend import LogFilter, StreamRange
from eventstore.query import Query, QueryItem

COLUMNS = (
    "position, stream, version, recorded_at, type, schema_version, event_id, occurred_at, correlation_id, "
    "causation_id, metadata, tags, payload"
)

MAX_PARTS = 400

LABEL = "CASE schema_version WHEN 1 THEN type ELSE type || '\n' || schema_version END"

SHARE = (
    "eventfold_crc32(CAST(CASE WHEN instr(stream, '-') IN (0, length(stream)) THEN stream "
    "ELSE substr(stream, instr(stream, '-') + 1) END AS BLOB)) % ? = ?"
)
"""For SQLite alone, whose connections are given the function."""

Statement = tuple[str, list[Any]]


def stream_page(events: str, stream: str, part: StreamRange, limit: int, columns: str = COLUMNS) -> Statement:
    """A page of one stream, along the index over (stream, version)."""
    where, params = ["stream = ?"], [stream]
    bounds: list[tuple[str, Any]] = [
        ("version > ?", part.after_version),
        ("version <= ?", part.up_to_version),
        ("position <= ?", part.up_to_position),
        ("recorded_at <= ?", part.recorded_until_us),
        ("coalesce(occurred_at, recorded_at) <= ?", part.occurred_until_us),
    ]
    for clause, value in bounds:
        if value is not None:
            where.append(clause)
            params.append(value)
    order = "DESC" if part.backwards else "ASC"
    sql = f"SELECT {columns} FROM {events} WHERE {' AND '.join(where)} ORDER BY version {order} LIMIT ?"
    return sql, [*params, limit]


def stream_payloads(events: str, stream: str, part: StreamRange, limit: int) -> Statement:
    """The same page, with no more than a fold needs: the label of `backend.label_of` and the payload."""
    return stream_page(events, stream, part, limit, f"{LABEL}, payload")


def log_page(
    events: str, tags: str, wanted: LogFilter, bounds: tuple[int, int], limit: int, *, backwards: bool
) -> Statement:
    """A page of the log between two positions.

    Types alone are filtered while scanning; items with tags name their positions through the index over
    (tag, type, position), each contributing no more than one page, so that a page costs the same whatever a tag's size.
    The items must be expanded: with tags, but without types, they match nothing here.
    """
    order = "DESC" if backwards else "ASC"
    where: list[str] = ["position > ?", "position <= ?"]
    params: list[Any] = list(bounds)
    if wanted.category is not None:
        # "." follows "-" in every collation of bytes: the range holds exactly the names that begin with the category
        where.append("(stream = ? OR (stream >= ? AND stream < ?))")
        params += [wanted.category, f"{wanted.category}-", f"{wanted.category}."]
    for clause, value in (
        ("stream = ?", wanted.stream),
        ("recorded_at >= ?", wanted.since_us),
        ("recorded_at <= ?", wanted.until_us),
    ):
        if value is not None:
            where.append(clause)
            params.append(value)
    if wanted.share is not None:
        where.append(SHARE)
        params += [wanted.share[1], wanted.share[0]]
    if wanted.query is not None:
        clause, more = _query_clause(events, tags, wanted.query, bounds, limit, order)
        if wanted == LogFilter(query=wanted.query):
            where.append(clause)
        else:  # the other parts may refuse positions of the page, so no item may stop at one page
            clause, more = _query_clause(events, tags, wanted.query, bounds, None, order)
            where.append(clause)
        params += more
    sql = f"SELECT {COLUMNS} FROM {events} WHERE {' AND '.join(where)} ORDER BY position {order} LIMIT ?"
    return sql, [*params, limit]


def _query_clause(
    events: str, tags: str, query: Query, bounds: tuple[int, int], limit: int | None, order: str
) -> Statement:
    if not any(item.tags for item in query.items):
        types = list(dict.fromkeys(name for item in query.items for name in item.types))
        return f"type IN ({_marks(types)})", types
    parts, params = [], []
    for item in query.items:
        for sql, more in _positions(events, tags, item, bounds):
            cut = "" if limit is None else f" ORDER BY position {order} LIMIT {int(limit)}"
            parts.append(f"SELECT position FROM ({sql}{cut}) AS part")
            params += more
    return (f"position IN ({_union(parts)})" if parts else "1 = 0"), params


def conflict(events: str, tags: str, query: Query, after: int) -> Statement | None:
    """Finds one position after `after` that matches the query; None where nothing can match."""
    parts, params = [], []
    for item in query.items:
        for sql, more in _positions(events, tags, item, (after, None)):
            parts.append(f"SELECT position FROM ({sql} LIMIT 1) AS part")
            params += more
    return (f"{_union(parts, keep_all=True)} LIMIT 1", params) if parts else None


def _positions(events: str, tags: str, item: QueryItem, bounds: tuple[int, int | None]) -> list[Statement]:
    """One SELECT for each type of an item, in which the first tag drives and the others are looked up."""
    after, up_to = bounds
    upper = "" if up_to is None else " AND a.position <= ?"
    upper_params = [] if up_to is None else [up_to]
    if not item.tags:
        sql = f"SELECT a.position FROM {events} a WHERE a.position > ?{upper} AND a.type IN ({_marks(item.types)})"
        return [(sql, [after, *upper_params, *item.types])]
    also = "".join(
        f" AND EXISTS (SELECT 1 FROM {tags} b WHERE b.tag = ? AND b.type = a.type AND b.position = a.position)"
        for _ in item.tags[1:]
    )
    sql = f"SELECT a.position FROM {tags} a WHERE a.tag = ? AND a.type = ? AND a.position > ?{upper}{also}"
    return [(sql, [item.tags[0], name, after, *upper_params, *item.tags[1:]]) for name in item.types]


def _union(parts: Sequence[str], *, keep_all: bool = False) -> str:
    """All parts as one, in bundles: SQLite takes no more than 500 parts side by side."""
    word = " UNION ALL " if keep_all else " UNION "
    if len(parts) <= MAX_PARTS:
        return word.join(parts)
    bundles = [word.join(parts[i : i + MAX_PARTS]) for i in range(0, len(parts), MAX_PARTS)]
    return _union([f"SELECT position FROM ({bundle}) AS bundle" for bundle in bundles], keep_all=keep_all)


def types_of_tag(tags: str) -> str:
    """The distinct types of one tag, hopping along the index from each type to the next; takes the tag twice."""
    return (
        f"WITH RECURSIVE found(type) AS (SELECT min(type) FROM {tags} WHERE tag = ? UNION ALL "
        f"SELECT (SELECT min(type) FROM {tags} WHERE tag = ? AND type > found.type) FROM found "
        "WHERE found.type IS NOT NULL) SELECT type FROM found WHERE type IS NOT NULL"
    )


def tag_size(tags: str) -> str:
    """How many events have a tag, counted up to 200: enough to tell a rare tag from a common one."""
    return f"SELECT count(*) FROM (SELECT 1 FROM {tags} WHERE tag = ? LIMIT 200) AS few"


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def stored_types(events: str) -> str:
    """The types and schema versions of the whole log, which it looks through."""
    return (
        "SELECT type, schema_version, count(*), min(position), min(recorded_at), max(position), max(recorded_at) "
        f"FROM {events} GROUP BY type, schema_version ORDER BY type, schema_version"
    )
