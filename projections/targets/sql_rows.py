"""Reads and writes the rows of one table in bulk, through the driver's own cursor.

Fields are converted by SQLAlchemy's processors for their column's type, so that what is written here is what SQLAlchemy reads.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Float, LargeBinary, Table, UniqueConstraint
from sqlalchemy.types import TypeEngine

from eventstore.sql_database import SqlDatabase
from projections.model import Model

Processor = Callable[[Any], Any] | None
ROWS_AT_ONCE = 2_000
"""How many rows a statement stores on PostgreSQL: more gain nothing, and a rebuild may write very many."""


def rows_for(database: SqlDatabase, table: Table, model: Model) -> "SqlRows":
    """The rows of a table, in the way of its database."""
    kind = SqliteRows if database.dialect == "sqlite" else PostgresRows
    return kind(table, model, database.engine.dialect)


def _code(column: TypeEngine[Any]) -> int:
    """The number that psycopg would give for a column's type; SQLAlchemy asks for it where a value is a number."""
    return 701 if isinstance(column, Float) else 1700


class SqlRows:
    """What both databases share: the conversion between a Struct and a row."""

    def __init__(self, table: Table, model: Model, dialect: Dialect) -> None:
        self._make = model.make
        self._key = model.key.name
        preparer = dialect.identifier_preparer
        self._name = preparer.format_table(table)
        self._columns = [preparer.quote(column.name) for column in table.columns]
        self._unique = any(isinstance(rule, UniqueConstraint) for rule in table.constraints)
        self._types = [column.type.compile(dialect) for column in table.columns]
        types = [column.type.dialect_impl(dialect) for column in table.columns]
        self._binders = [self._binder(each, dialect) for each in types]
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

    def _binder(self, column: TypeEngine[Any], dialect: Dialect) -> Processor:
        return column.bind_processor(dialect)

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


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"\\x{value.hex()}"


def _number(value: float | None) -> float | str | None:
    """JSON has no infinite numbers; the server reads them from text."""
    return value if value is None or math.isfinite(value) else str(value)


class PostgresRows(SqlRows):
    """Bulk work on PostgreSQL: keys travel as one array, rows as a JSON array: one round trip for all of a usual batch.

    Measured for 1 to 2,000 rows, it is as fast as an array for each column, and faster than COPY into a temporary table.
    """

    def __init__(self, table: Table, model: Model, dialect: Dialect) -> None:
        super().__init__(table, model, dialect)
        names = ", ".join(self._columns)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._short = [f"c{i}" for i in range(len(self._columns))]
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(self._short, self._types, strict=True))
        self._select = f"SELECT {names} FROM {self._name} WHERE {self._columns[0]} = ANY(%s::{self._types[0]}[])"
        self._insert = (
            f"INSERT INTO {self._name} ({names}) SELECT * FROM json_to_recordset(%s::json) AS rows({columns}) "
            f"{self._on_conflict()}"
        )

    def fetch(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        cursor: Any = connection.connection.cursor()
        cursor.execute(self._select, ([self._bind_key(key) for key in keys],), prepare=True, binary=True)
        return self._read(cursor.fetchall())

    def _binder(self, column: TypeEngine[Any], dialect: Dialect) -> Processor:
        if isinstance(column, LargeBinary):
            return _hex
        return _number if isinstance(column, Float) else column.bind_processor(dialect)

    def _upsert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        cursor: Any = connection.connection.cursor()
        short = self._short
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = [dict(zip(short, row, strict=True)) for row in rows[first : first + ROWS_AT_ONCE]]
            cursor.execute(self._insert, (self._encode(part).decode(),), prepare=True)

    def _delete(self, connection: Connection, keys: list[Any]) -> None:
        connection.connection.cursor().execute(
            f"DELETE FROM {self._name} WHERE {self._columns[0]} = ANY(%s::{self._types[0]}[])", (keys,)
        )
