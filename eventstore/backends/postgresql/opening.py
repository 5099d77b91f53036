"""Opens a PostgreSQL database from a URL."""

from typing import Any

from sqlalchemy.engine import URL

from eventstore.backends.postgresql.backend import PostgresBackend


def open_backend(url: URL, *, prefix: str, schema: str | None, **options: Any) -> PostgresBackend:
    """The database as a backend; see `PostgresBackend` for the options."""
    return PostgresBackend(url, prefix=prefix, schema=schema, **options)
