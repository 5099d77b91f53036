"""Reads and writes the rows of one table in bulk, through the driver's own cursor.

Fields are converted by SQLAlchemy's processors for their column's type, so that what is written here is what SQLAlchemy reads.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Double, Table, UniqueConstraint
from sqlalchemy.types import TypeEngine

from eventstore.sql_database import SqlDatabase
from projections.model import Model

Processor = Callable[[Any], Any] | None
COPY_FROM = 64
"""From so many rows on, COPY into a temporary table beats one upsert for each row."""


def rows_for(database: SqlDatabase, table: Table, model: Model) -> "SqlRows":
    """The rows of a table, in the way of its database."""
    kind = SqliteRows if database.dialect == "sqlite" else PostgresRows
    return kind(table, model, database.engine.dialect)


def _code(column: TypeEngine[Any]) -> int:
    """The number that psycopg would give for a column's type; SQLAlchemy asks for it where a value is a number."""
    return 701 if isinstance(column, Double) else 1700


class SqlRows:
    """What both databases share: the conversion between a Struct and a row."""

    def __init__(self, table: Table, model: Model, dialect: Dialect) -> None:
        self._make = model.make
        self._key = model.key.name
        preparer = dialect.identifier_preparer
        self._name = preparer.format_table(table)
        self._batch = preparer.quote(f"eventfold_batch_{table.name}")
        self._columns = [preparer.quote(column.name) for column in table.columns]
        self._unique = any(isinstance(rule, UniqueConstraint) for rule in table.constraints)
        self._types = [column.type.compile(dialect) for column in table.columns]
        types = [column.type.dialect_impl(dialect) for column in table.columns]
        self._binders: list[Processor] = [each.bind_processor(dialect) for each in types]
        self._readers: list[Processor] = [each.result_processor(dialect, _code(each)) for each in types]
        self._plain_in = not any(self._binders)
        self._plain_out = not any(self._readers)

    def fetch(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        raise NotImplementedError

    def write(self, connection: Connection, rows: Mapping[Any, Any]) -> None:
        """Stores the rows; deletes where the row is None.

        Where values must be unique, every touched row is deleted first: rows may have exchanged them within the batch.
        """
        gone = [self._bind_key(key) for key, row in rows.items() if self._unique or row is None]
        kept = [row for row in rows.values() if row is not None]
        if gone:
            self._delete(connection, gone)
        if kept:
            self._upsert(connection, [self._bind(row) for row in kept])

    def _upsert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        raise NotImplementedError

    def _delete(self, connection: Connection, keys: list[Any]) -> None:
        raise NotImplementedError

    def _bind(self, row: msgspec.Struct) -> tuple[Any, ...]:
        values = msgspec.structs.astuple(row)
        if self._plain_in:
            return values
        return tuple(
            value if binder is None else binder(value) for value, binder in zip(values, self._binders, strict=True)
        )

    def _bind_key(self, key: Any) -> Any:
        binder = self._binders[0]
        return key if binder is None else binder(key)

    def _read(self, found: Iterable[tuple[Any, ...]]) -> dict[Any, Any]:
        make = self._make
        if self._plain_out:
            rows = [make(*values) for values in found]
        else:
            rows = [
                make(*[v if reader is None else reader(v) for v, reader in zip(values, self._readers, strict=True)])
                for values in found
            ]
        name = self._key
        return {getattr(row, name): row for row in rows}

    def _assignments(self) -> str:
        return ", ".join(f"{each} = excluded.{each}" for each in self._columns[1:])

    def _on_conflict(self) -> str:
        action = f"DO UPDATE SET {self._assignments()}" if len(self._columns) > 1 else "DO NOTHING"
        return f"ON CONFLICT ({self._columns[0]}) {action}"


class SqliteRows(SqlRows):
    """Bulk work on SQLite: keys travel as one JSON array, rows by executemany."""

    def fetch(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        cursor = connection.connection.cursor()
        names = ", ".join(self._columns)
        cursor.execute(
            f"SELECT {names} FROM {self._name} WHERE {self._columns[0]} IN (SELECT value FROM json_each(?))",
            (json.dumps([self._bind_key(key) for key in keys]),),
        )
        return self._read(cursor.fetchall())

    def _upsert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(self._columns))
        connection.connection.cursor().executemany(
            f"INSERT INTO {self._name} ({', '.join(self._columns)}) VALUES ({marks}) {self._on_conflict()}", rows
        )

    def _delete(self, connection: Connection, keys: list[Any]) -> None:
        connection.connection.cursor().executemany(
            f"DELETE FROM {self._name} WHERE {self._columns[0]} = ?", [(key,) for key in keys]
        )


class PostgresRows(SqlRows):
    """Bulk work on PostgreSQL: keys travel as one array, many rows by COPY."""

    def fetch(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        cursor = connection.connection.cursor()
        names = ", ".join(self._columns)
        cursor.execute(
            f"SELECT {names} FROM {self._name} WHERE {self._columns[0]} = ANY(%s::{self._types[0]}[])",
            ([self._bind_key(key) for key in keys],),
        )
        return self._read(cursor.fetchall())

    def _upsert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        names = ", ".join(self._columns)
        cursor: Any = connection.connection.cursor()
        if len(rows) < COPY_FROM:
            marks = ", ".join(["%s"] * len(self._columns))
            cursor.executemany(f"INSERT INTO {self._name} ({names}) VALUES ({marks}) {self._on_conflict()}", rows)
            return
        batch = self._batch
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {batch} (LIKE {self._name}) ON COMMIT DELETE ROWS")
        with cursor.copy(f"COPY {batch} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"INSERT INTO {self._name} ({names}) SELECT {names} FROM {batch} {self._on_conflict()}")
        cursor.execute(f"DELETE FROM {batch}")

    def _delete(self, connection: Connection, keys: list[Any]) -> None:
        connection.connection.cursor().execute(
            f"DELETE FROM {self._name} WHERE {self._columns[0]} = ANY(%s::{self._types[0]}[])", (keys,)
        )
