"""What the tests of the PostgreSQL backend share."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection

from eventstore import Event, EventStore, open_store
from eventstore.backend import LogFilter
from eventstore.backends.postgresql.backend import PostgresBackend

PATIENCE_SECONDS = 60.0


class Ticked(Event):
    n: int


class Marked(Event):
    n: int


EVENTS = (Ticked, Marked)


@contextmanager
def opened(url: str, **options: Any) -> Iterator[EventStore]:
    with open_store(url, events=EVENTS, migrate=True, **options) as store:
        yield store


def backend_of(store: EventStore) -> PostgresBackend:
    assert isinstance(store.backend, PostgresBackend)
    return store.backend


def connected(store: EventStore) -> Connection:
    return backend_of(store).engine.connect()


def begun(store: EventStore) -> AbstractContextManager[Connection]:
    return backend_of(store).engine.begin()


def send_announcements(store: EventStore) -> None:
    """Returns when everything that was announced so far is sent; announces no more afterwards."""
    backend_of(store)._announcer.close()


@contextmanager
def in_flight(store: EventStore, stream: str, n: int = 0) -> Iterator[Connection]:
    """A transaction of the test's own with one append in it, held open for the block."""
    with connected(store) as connection:
        store.append(stream, [Ticked(n)], connection=connection)
        yield connection


def visible(store: EventStore) -> list[int]:
    """What a reader gets: the positions up to the horizon."""
    return [row[0] for row in store.backend.log_page(LogFilter(), 0, store.head(), 1000)]


def pid_of(connection: Connection) -> int:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.info.backend_pid


def terminate(url: str, pid: int) -> None:
    """Kills a session of the server's, and returns when it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])


def waits_for_a_lock(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN "
            "(SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
        ).fetchone()
    return found is not None and found[0] > 0


def until(condition: Callable[[], bool]) -> None:
    """Waits for the thing itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
