"""Opens a SQLite file from a URL."""

from sqlalchemy.engine import URL

from eventstore.backends.sqlite.backend import SqliteBackend


def open_backend(
    url: URL,
    *,
    prefix: str,
    schema: str | None,  # noqa: ARG001 - every backend's
    busy_seconds: float = 10.0,
    synchronous: str = "FULL",
) -> SqliteBackend:
    """The file as a backend; see `SqliteBackend` for the options.

    A file has no schemas. One that is named is passed over, so that an application keeps its options whatever database
    its URL names.
    """
    return SqliteBackend(url, prefix=prefix, busy_seconds=busy_seconds, synchronous=synchronous)
