"""An append of one event as the arguments of a statement: most appends are that, and take the shortest way."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import count

from eventstore.backend import StreamWrite, WriteRequest
from eventstore.backends.postgresql.arguments import expected_code, instant, item_arguments, joined, lock_arguments
from eventstore.backends.postgresql.guard import Name, guarded_names, tag_key, write_key
from eventstore.backends.postgresql.sql import Sql
from eventstore.companion import Insert


def lone_statement(
    sql: Sql, request: WriteRequest, alone: Collection[Name] = ()
) -> tuple[str, list[str | None]] | None:
    """The statement that stores a request of one event, and its arguments; None where it is more than that.

    The statement returns the stream's new version and the event's position, or nothing where the event is refused.

    Args:
        sql: the statements.
        request: what is to be appended.
        alone: names that nobody else may write before the transaction has ended.
    """
    write = request.writes[0]
    if len(request.writes) != 1 or len(write.rows) != 1 or request.own_ids:
        return None
    if alone or request.condition is not None or write.tags is not None:
        return sql.append_lone, _lone_arguments(request, alone)
    name, schema, event_id, occurred, *beside, payload = write.rows[0]
    key = str(write_key(name, write.stream))
    arguments: list[str | None] = [
        write.stream,
        str(expected_code(write.expected)),
        name,
        str(schema),
        event_id,
        key,
        payload,
    ]
    if occurred is None and not any(beside):
        return sql.append_bare, arguments
    return sql.append_single, [*arguments, instant(occurred), *beside[:3]]


def with_inserts(statement: tuple[str, list[str | None]], inserts: Sequence[Insert]) -> tuple[str, list[str | None]]:
    """The same statement, which also inserts these rows where the event is stored."""
    sql, arguments = statement
    params = [param for each in inserts for param in each.params]
    shapes = tuple([(each.into, each.values) for each in inserts])
    return _compose(sql, len(arguments), shapes), [*arguments, *map(_text, params)]


def _text(param: str | int | None) -> str | None:
    return None if param is None else str(param)


@lru_cache(maxsize=256)
def _compose(sql: str, used: int, shapes: tuple[tuple[str, str], ...]) -> str:
    """Each insert takes its row from the event's, so that it comes after it, and not at all where there is none."""
    marks = count(used + 1)
    parts = [f"stored(version, position) AS ({sql})"]
    for number, (into, values) in enumerate(shapes):
        marked = re.sub(r"\?", lambda _: f"${next(marks)}", values)
        parts.append(
            f"beside_{number} AS (INSERT INTO {into} SELECT {marked} FROM stored WHERE stored.position IS NOT NULL)"
        )
    return f"WITH {', '.join(parts)} SELECT version, position FROM stored"


def _lone_arguments(request: WriteRequest, alone: Collection[Name]) -> list[str | None]:
    write: StreamWrite = request.writes[0]
    name, schema, event_id, occurred, *beside, payload = write.rows[0]
    tags = write.tags[0] if write.tags else ()
    condition = request.condition
    return [
        write.stream,
        str(expected_code(write.expected)),
        name,
        str(schema),
        event_id,
        instant(occurred),
        *beside,
        payload,
        joined(tags) if tags else None,
        *lock_arguments({write_key(name, write.stream), *map(tag_key, tags)}, guarded_names(request).union(alone)),
        *item_arguments([(condition.after, item) for item in condition.query.items] if condition else []),
    ]
