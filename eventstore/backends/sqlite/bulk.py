"""Inserts many whole rows into a SQLite log."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from eventstore.backend import Row
from eventstore.backends.log_sql import COLUMNS

WAL_PAGES = 16_000
"""Up to 64 MB wait in the write-ahead log: a checkpoint waits for the disk twice, and writes a page of an index once however
often it was changed."""

_NAMES = COLUMNS.split(", ")


@contextmanager
def rare_checkpoints(connection: Connection) -> Iterator[None]:
    """Commits meanwhile begin a checkpoint only when `WAL_PAGES` wait for one."""
    raw: Any = connection.connection.driver_connection
    (usual,) = raw.execute("PRAGMA wal_autocheckpoint").fetchone()
    raw.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA wal_autocheckpoint = {usual}")


def insert_rows(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    """Inserts rows in their order, with a statement that names only the columns which have a value.

    To bind a NULL costs the driver several times what another value does, so rows that follow each other and lack the same
    columns share a statement without them.
    """
    for present, group in groupby(rows, _present):
        columns = [name for name, is_there in zip(_NAMES, present, strict=True) if is_there]
        marks = ", ".join("?" * len(columns))
        values = itemgetter(*(i for i, is_there in enumerate(present) if is_there))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", map(values, group))


def _present(row: Row) -> tuple[bool, ...]:
    return tuple([value is not None for value in row])
