"""Connections to a SQLite file: durable by default, and never a surprise upgrade from reading to writing."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from eventstore.bounds import check_seconds
from eventstore.errors import InvalidInput

T = TypeVar("T")


def database_path(url: URL) -> Path:
    """The file that a URL names.

    Raises:
        InvalidInput: it names none.
    """
    if not url.database or url.database == ":memory:":
        raise InvalidInput(
            f"{url}: expected the path of a file, as in sqlite:///app.db; for a log in memory use memory://"
        )
    return Path(url.database).absolute()


def open_engine(path: Path, *, busy_seconds: float, synchronous: str) -> Engine:
    """An engine whose connections run in autocommit until a transaction is begun outright.

    Args:
        path: the file, made where it does not exist.
        busy_seconds: how long to wait for another process's write lock.
        synchronous: FULL (a commit is on the disk when it returns) or NORMAL (a power cut may lose the last commits).
    """
    if synchronous not in {"FULL", "NORMAL"}:
        raise InvalidInput(f"synchronous: expected FULL or NORMAL, got {synchronous!r}")
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={
            "check_same_thread": False,
            "timeout": check_seconds("busy_seconds", busy_seconds),
            "uri": True,  # so that another file can be attached for reading only; a path is still taken as it is
        },
        pool_use_lifo=True,  # the connection used last has the warmest page cache
        pool_size=8,
        max_overflow=64,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        _write_ahead(connection, busy_seconds)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA cache_size = -16384")
        connection.create_function("eventfold_crc32", 1, crc32, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Has SQLite write ahead. While somebody else makes the same new file do so, it refuses at once, and does not wait."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.005)
        else:
            return


def in_transaction(cursor: sqlite3.Cursor, work: Callable[[], T]) -> T:
    """What the work returns, done in a write transaction: committed, or rolled back where something is raised."""
    cursor.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        cursor.execute("COMMIT")
    except BaseException:
        if cursor.connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise
    return result


def _writes(connection: Any) -> bool:
    return bool(connection.get_execution_options().get("writes"))
