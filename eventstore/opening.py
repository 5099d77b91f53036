"""Opens a store from a URL."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
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
_EVERYWHERE = frozenset({"migrate", "prefix", "schema", "max_payload"})


def open_store(
    url: str,
    *,
    events: Any = (),
    migrate: bool | None = None,
    prefix: str = "eventfold_",
    schema: str | None = None,
    max_payload: int = MAX_PAYLOAD,
    cache_states: int = 0,
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
        cache_states: how many aggregates' states are held in memory.
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
    return EventStore(backend, events=events, max_payload=max_payload, cache_states=cache_states)


def open_backend(url: str, *, prefix: str = "eventfold_", schema: str | None = None, **options: Any) -> Backend:
    """The database that a URL names, neither looked into nor migrated yet. See `open_store` for the arguments.

    Raises:
        InvalidInput: the URL, or an option, is not acceptable.
        Unsupported: no backend has this scheme, or its driver is not installed.
    """
    parsed = _parsed(url)
    opener = _opener(parsed.get_backend_name())
    taken = _options_of(opener)
    for name in options:
        if taken is not None and name not in taken:
            known = ", ".join(sorted(taken | _EVERYWHERE))
            raise InvalidInput(f"{name}: {parsed.get_backend_name()}:// has no such option; expected one of {known}")
    names = {"prefix": check_prefix(prefix), "schema": schema and check_prefix(schema)}
    return cast("Backend", opener(parsed, **names, **options))


def carried_over(options: Mapping[str, Any], url: str, to: str) -> dict[str, Any]:
    """Options for the database at one URL as options for that at another: without what only the first kind has.

    Raises:
        InvalidInput: a URL is not acceptable.
        Unsupported: no backend has this scheme.
    """
    old, new = (_options_of(_opener(_parsed(each).get_backend_name())) for each in (url, to))
    left = (old or frozenset()) - new if new is not None else frozenset()
    return {name: value for name, value in options.items() if name not in left}


def options_at(url: str) -> frozenset[str] | None:
    """The names of the options of `open_store` for the database at a URL; None where its backend takes any.

    Raises:
        InvalidInput: the URL is not acceptable.
        Unsupported: no backend has this scheme, or its driver is not installed.
    """
    own = _options_of(_opener(_parsed(url).get_backend_name()))
    return None if own is None else own | _EVERYWHERE | {"cache_states"}


def options_in(url: str) -> tuple[str, dict[str, Any]]:
    """A URL without the `prefix` and the `schema` that stand in its query, and these.

    Raises:
        InvalidInput: the URL is not acceptable.
    """
    parsed = _parsed(url)
    named = {name: parsed.normalized_query[name][-1] for name in ("prefix", "schema") if name in parsed.query}
    if not named:
        return url, {}
    return parsed.difference_update_query(list(named)).render_as_string(hide_password=False), named


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        hidden = re.sub(r":[^:/@]*@", ":***@", str(url))
        raise InvalidInput(
            f"{hidden!r}: expected a URL such as sqlite:///app.db, postgresql://user@host/database or memory://"
        ) from None


def _opener(scheme: str) -> Callable[..., Any]:
    found = _BACKENDS.get(scheme)
    if found is not None:
        module, _, function = found.partition(":")
        return cast("Callable[..., Any]", getattr(_imported(module, scheme), function))
    for entry in entry_points(group="eventfold.backends"):
        if entry.name == scheme:
            return cast("Callable[..., Any]", entry.load())
    raise Unsupported(f"{scheme}://: no backend of that name; expected one of {', '.join(sorted(_BACKENDS))}")


def _imported(module: str, scheme: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unsupported(
            f"{scheme}:// needs a driver that is not installed ({error}): install eventfold with its extra `postgres`, as in "
            "pip install 'path/to/eventfold[postgres]'"
        ) from error


def _options_of(opener: Callable[..., Any]) -> frozenset[str] | None:
    """The names of the options that are the backend's own; None where it takes any."""
    parameters = list(inspect.signature(opener).parameters.values())
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(each.name for each in parameters[1:]) - _EVERYWHERE
