"""Opens a PostgreSQL database from a URL."""

from sqlalchemy.engine import URL

from eventstore.backends.postgresql.backend import PostgresBackend


def open_backend(
    url: URL, *, prefix: str, schema: str | None, pool_size: int = 8, busy_seconds: float = 10.0
) -> PostgresBackend:
    """The database as a backend; see `PostgresBackend` for the options."""
    return PostgresBackend(url, prefix=prefix, schema=schema, pool_size=pool_size, busy_seconds=busy_seconds)
