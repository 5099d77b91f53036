"""Where logs are made: SQLite files in a folder of the run's own, or databases of a PostgreSQL server."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from benchmarks.domain import EVENTS
from benchmarks.raw import RawLog
from benchmarks.raw_postgresql import RawPostgres
from benchmarks.raw_sqlite import RawSqlite
from eventfold import Event, EventStore, open_store

T = TypeVar("T")


class Place(Protocol):
    """One kind of database. Every log in it has the tables of our own migrations."""

    kind: str

    def new(self) -> str:
        """The URL of an empty database."""

    def copy(self, url: str) -> str:
        """The URL of a copy."""

    def raw(self, url: str, *, durable: bool = True) -> RawLog:
        """The driver on a log; without `durable` commits do not wait for the disk, as projections commit."""

    def peer_settings(self) -> dict[str, str]:
        """The environment in which the other library uses an empty database."""

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """What is made once for the whole run: the URL of a filled log, or the settings of one of the peer's."""


def store_in(url: str) -> EventStore:
    """Our store, with the tables it needs."""
    return open_store(url, events=EVENTS, migrate=True)


def seeded_log(place: Place, name: str, events: Callable[[], Iterable[tuple[str, int, Event]]]) -> str:
    """The URL of a log that is filled once for the whole run."""

    def make() -> str:
        url = place.new()
        store_in(url).close()
        with closing(place.raw(url)) as raw:
            raw.seed(events())
        return url

    return place.cached(name, make)


class _Cache:
    def __init__(self) -> None:
        self._cached: dict[str, Any] = {}

    def cached(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._cached:
            self._cached[name] = make()
        found: T = self._cached[name]
        return found


class SqlitePlace(_Cache):
    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._count = 0

    def new(self) -> str:
        return f"sqlite:///{self._path()}"

    def copy(self, url: str) -> str:
        path = self._path()
        with sqlite3.connect(_file(url)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copyfile(_file(url), path)
        return f"sqlite:///{path}"

    def raw(self, url: str, *, durable: bool = True) -> RawLog:
        return RawSqlite(_file(url), durable=durable)

    def peer_settings(self) -> dict[str, str]:
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(self._path())}

    def _path(self) -> Path:
        self._count += 1
        return self._folder / f"{self._count}.db"


class PostgresPlace(_Cache):
    kind = "postgresql"

    def __init__(self, server: Any) -> None:
        super().__init__()
        self._server = server
        self.made: list[str] = []

    def new(self) -> str:
        self.made.append(self._server.create_database())
        return self.made[-1]

    def copy(self, url: str) -> str:
        copied = self.new()
        self._server.drop_database(copied)
        self._server._execute(_copy_statement(url, copied))  # noqa: SLF001 - the tests' server has no copy of its own
        return copied

    def raw(self, url: str, *, durable: bool = True) -> RawLog:
        return RawPostgres(url, durable=durable)

    def peer_settings(self) -> dict[str, str]:
        parts = urlsplit(self.new())
        return {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.removeprefix("/"),
            "POSTGRES_HOST": parts.hostname or "",
            "POSTGRES_PORT": str(parts.port or 5432),
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": parts.password or "none",
        }

    def drop_all(self) -> None:
        for url in self.made:
            self._server.drop_database(url)


@contextmanager
def sqlite_place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="eventfold-bench-") as folder:
        yield SqlitePlace(Path(folder))


@contextmanager
def postgres_place() -> Iterator[Place]:
    from tests.services.postgresql import open_postgres

    with open_postgres() as server:
        place = PostgresPlace(server)
        try:
            yield place
        finally:
            place.drop_all()


def _file(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _copy_statement(url: str, copied: str) -> Any:
    from psycopg import sql

    names = [sql.Identifier(urlsplit(each).path.removeprefix("/")) for each in (copied, url)]
    return sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(*names)
