"""A database beside the log's, for read models: rows and their checkpoints lie there together."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast
from weakref import WeakKeyDictionary, finalize

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from eventstore import DefinitionError, StoreUnavailable
from eventstore.backend import Backend
from eventstore.fork import LeftBackend, watch
from eventstore.migration import Migrator, require_migrated
from eventstore.opening import open_backend, options_in
from eventstore.sql_database import SqlDatabase
from projections.errors import TargetUnavailable

CONNECT_SECONDS = 5
"""How long a connection to PostgreSQL may take, unless the URL says `connect_timeout`."""


class OtherDatabase(SqlDatabase):
    """A database that is opened, and its tables made or looked at, when it is first used: it may be away while the log is not.

    Its outage is a `TargetUnavailable`, which is the matter of those projections alone that keep their rows there.

    Args:
        backend: what opens such a database; its tables for a log stay unmade.
    """

    def __init__(self, backend: Backend) -> None:
        inner = backend.sql
        assert inner is not None  # noqa: S101 - whoever opens it has looked
        super().__init__(inner.engine, prefix=inner.prefix, schema=inner.schema, description=inner.description)
        self._backend, self._inner = backend, inner
        watch(self)
        self._ready = False
        self._preparing = threading.Lock()
        self.migrates: bool | None = None

    @property
    def migrations(self) -> Migrator:
        """Of the projections' tables."""
        return self._inner.migrator("projections", "projections.migrations")

    def prepare(self) -> None:
        """Makes the tables, in a SQLite file or where `migrates` says so, or sees that they are there.

        Raises:
            NotMigrated, SchemaTooNew: they are older or newer than this release needs.
            TargetUnavailable: the database is away.
        """
        with self._preparing, self._away():
            if self._ready:
                return
            migrator = self.migrations
            if self.migrates if self.migrates is not None else self.dialect == "sqlite":
                migrator.migrate()
            require_migrated(migrator.pending(), self.description)
            self._ready = True

    def pending(self) -> list[str]:
        """The names of the migrations that are missing."""
        with self._away():
            return [f"{name} in {self.description}" for name in self.migrations.pending()]

    def migrate(self) -> list[str]:
        """Applies them, and returns their names."""
        with self._away():
            return [f"{name} in {self.description}" for name in self.migrations.migrate()]

    @contextmanager
    def reading(self, *, together: bool = False) -> Iterator[Connection]:
        """A connection to read with. See `SqlDatabase.reading`."""
        if not self._ready:
            self.prepare()
        with self._away(), self._inner.reading(together=together) as connection:
            yield connection

    @contextmanager
    def transaction(
        self, around: Callable[[Connection], AbstractContextManager[object]] = nullcontext
    ) -> Iterator[Connection]:
        """A write transaction. See `SqlDatabase.transaction`."""
        if not self._ready:
            self.prepare()
        with self._away(), self._inner.transaction(around) as connection:
            yield connection

    def close(self) -> None:
        """Closes every connection."""
        self._backend.close()

    def leave_to_parent(self) -> object:
        """In a forked child: refuses from now on, since the connections and locks are the parent's."""
        left = self._backend, self._inner, self.engine, self._preparing
        self.engine.dispose(close=False)
        self._preparing = threading.Lock()
        refusing = LeftBackend(self.description)
        self._backend, self._inner = cast("Backend", refusing), cast("SqlDatabase", refusing)
        return left

    @contextmanager
    def _away(self) -> Iterator[None]:
        try:
            with self._inner.translating():
                yield
        except TargetUnavailable:
            raise
        except StoreUnavailable as error:
            raise TargetUnavailable(str(error)) from error


_opened: "WeakKeyDictionary[Any, dict[str, OtherDatabase]]" = WeakKeyDictionary()
_opening = threading.Lock()


def other_database(backend: Backend, where: str, url: str) -> OtherDatabase:
    """The database at a URL, one for all tables of one log.

    Args:
        backend: of the log.
        where: who asks, for errors.
        url: `sqlite:///path` or `postgresql://user@host/database`; `prefix` and `schema` may stand in its query, and `${NAME}` for
            a variable of the environment.

    Raises:
        DefinitionError: it is in no SQL database, or names a variable that is not set.
        InvalidInput: the URL is not acceptable.
        Unsupported: there is no driver.
    """
    chosen = resolved(where, url)
    with _opening:
        if backend not in _opened:
            _opened[backend] = {}
            finalize(backend, close_all, _opened[backend])
        known = _opened[backend]
        if chosen not in known:
            known[chosen] = _open(where, chosen)
        return known[chosen]


def close_others(backend: Backend) -> None:
    """Closes the databases that were opened beside a log."""
    close_all(_opened.get(backend, {}))


def close_all(known: dict[str, OtherDatabase]) -> None:
    """Closes them; they can be opened again."""
    while known:
        known.popitem()[1].close()


def resolved(where: str, url: str) -> str:
    """A URL with the environment's variables in their places.

    Raises:
        DefinitionError: one is not set.
    """

    def value(found: "re.Match[str]") -> str:
        name = found[1]
        if name not in os.environ:
            raise DefinitionError(f"{where}: url: the environment has no variable {name}; set it to the database's URL")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, url)


def _open(where: str, url: str) -> OtherDatabase:
    plain, names = options_in(url)
    if plain.startswith("postgres") and "connect_timeout" not in plain:
        patient = make_url(plain).update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
        plain = patient.render_as_string(hide_password=False)
    backend = open_backend(plain, **names)
    if backend.sql is None:
        backend.close()
        raise DefinitionError(f"{where}: url: expected a sqlite:// or postgresql:// URL, got {backend.description}")
    return OtherDatabase(backend)
