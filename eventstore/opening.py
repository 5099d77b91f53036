"""Opens a store from a URL."""

import importlib
import re
from importlib.metadata import entry_points
from typing import Any, cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from eventstore.backend import Backend
from eventstore.errors import InvalidInput, Unsupported
from eventstore.migration import check_prefix, require_migrated
from eventstore.store import MAX_PAYLOAD, EventStore

_BACKENDS = {
    "memory": "eventstore.backends.memory.opening:open_backend",
    "sqlite": "eventstore.backends.sqlite.opening:open_backend",
    "postgresql": "eventstore.backends.postgresql.opening:open_backend",
    "postgres": "eventstore.backends.postgresql.opening:open_backend",
}


def open_store(
    url: str,
    *,
    events: Any = (),
    migrate: bool | None = None,
    prefix: str = "eventfold_",
    schema: str | None = None,
    max_payload: int = MAX_PAYLOAD,
    **options: Any,
) -> EventStore:
    """Opens the log that a URL names.

    Args:
        url: `memory://`, `sqlite:///path` or `postgresql://user@host/database`; other schemes through the entry point
            group `eventfold.backends`.
        events: the event classes that reads decode.
        migrate: whether to make or update the tables; by default only in memory and in SQLite files, which nobody else
            administers.
        prefix: what every table's name begins with.
        schema: the PostgreSQL schema that holds the tables.
        max_payload: the largest encoded event accepted, in bytes.
        options: the backend's own: `busy_seconds` and `synchronous` on SQLite, `pool_size` on PostgreSQL.

    Raises:
        InvalidInput: the URL, or an option, is not acceptable.
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
        StoreUnavailable: the database cannot be reached.
    """
    backend = open_backend(url, prefix=prefix, schema=schema, **options)
    try:
        if migrate if migrate is not None else make_url(url).get_backend_name() in {"memory", "sqlite"}:
            backend.migrate()
        require_migrated(backend.pending_migrations(), backend.description)
    except BaseException:
        backend.close()
        raise
    return EventStore(backend, events=events, max_payload=max_payload)


def open_backend(url: str, *, prefix: str = "eventfold_", schema: str | None = None, **options: Any) -> Backend:
    """The database that a URL names, neither looked into nor migrated yet. See `open_store` for the arguments.

    Raises:
        InvalidInput: the URL, or an option, is not acceptable.
        Unsupported: no backend has this scheme.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        hidden = re.sub(r":[^:/@]*@", ":***@", str(url))
        raise InvalidInput(
            f"{hidden!r}: expected a URL such as sqlite:///app.db, postgresql://user@host/database or memory://"
        ) from None
    names = {"prefix": check_prefix(prefix), "schema": schema and check_prefix(schema)}
    return _open_backend(parsed.get_backend_name(), parsed, **names, **options)


def _open_backend(scheme: str, url: URL, **options: Any) -> Backend:
    found = _BACKENDS.get(scheme)
    if found is None:
        for entry in entry_points(group="eventfold.backends"):
            if entry.name == scheme:
                return cast("Backend", entry.load()(url, **options))
        raise Unsupported(f"{scheme}://: no backend of that name; expected one of {', '.join(sorted(_BACKENDS))}")
    module, _, function = found.partition(":")
    return cast("Backend", getattr(importlib.import_module(module), function)(url, **options))
