"""A log in another SQLite file, as the source of a copy: SQLite itself carries the events over."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, text

from eventstore.backends.log_sql import COLUMNS
from eventstore.backends.sqlite.bulk import rare_checkpoints
from eventstore.sql_database import SqlDatabase


@contextmanager
def attached(source: SqlDatabase, connection: Connection) -> Iterator[None]:
    """Makes the source's tables readable as `source.…`, outside of a transaction and for reading only.

    A transaction that is begun meanwhile therefore takes no lock of the source.
    """
    raw: Any = connection.connection.driver_connection
    raw.execute("ATTACH ? AS source", [f"file:{quote(str(source.engine.url.database))}?mode=ro"])
    try:
        with rare_checkpoints(connection):
            yield
    finally:
        raw.execute("DETACH source")


def page_end(connection: Connection, prefix: str, after: int, up_to: int, limit: int) -> tuple[int, int, str] | None:
    """How many events the source's next page has, and the position and id of the last one; None where there is none."""
    page = f"""
        SELECT count(*), max(position) FROM (SELECT position FROM source.{prefix}events
        WHERE position > :after AND position <= :up_to ORDER BY position LIMIT :limit)"""
    events, last = connection.execute(text(page), {"after": after, "up_to": up_to, "limit": limit}).one()
    if not events:
        return None
    found = connection.execute(
        text(f"SELECT event_id FROM source.{prefix}events WHERE position = :last"), {"last": last}
    )
    return events, last, found.scalar_one()


def carry(connection: Connection, target: str, prefix: str, after: int, last: int) -> None:
    """Inserts the source's events with `after < position <= last`, and their tags."""
    bounds = {"after": after, "last": last}
    events = f"source.{prefix}events"
    page = "position > :after AND position <= :last"
    connection.execute(
        text(
            f"INSERT INTO main.{target}events ({COLUMNS}) SELECT {COLUMNS} FROM {events} WHERE {page} ORDER BY position"
        ),
        bounds,
    )
    connection.execute(
        text(
            f"INSERT INTO main.{target}event_tags (tag, type, position) SELECT value, events.type, position "
            f"FROM {events} AS events, json_each(tags) WHERE {page} AND tags IS NOT NULL"
        ),
        bounds,
    )
