"""Rows in a SQL table, in the log's own database: row and checkpoint commit together.

Every generation has a table of its own, `balances__g2`; a view, `balances`, shows the live one. A swap replaces the view
within a transaction, so a reader sees the old rows or the new ones, never a mixture and never nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Index, MetaData, Table, UniqueConstraint, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import quoted_name

from eventstore import DefinitionError, Unsupported
from eventstore.sql_database import SqlDatabase
from projections.columns import DECIMAL_ORDER, columns_of, compare_decimals
from projections.generation import GenerationRegistry
from projections.model import Model
from projections.selection import Selection
from projections.target import Change, Generation, GenerationInfo
from projections.targets.sql_rows import SqlRows, rows_for
from projections.targets.sql_select import count_statement, select_statement

MAX_NAME_LENGTH = 40
"""Leaves room, within PostgreSQL's 63 bytes, for the generation's number and an index's fields."""


class SqlTable:
    """Keeps a projection's rows in a table that any SQL tool can read.

    Args:
        name: what queries, and other programs, call it: a view of the live generation.
        indexes: fields, or sequences of fields, to index.
        unique: fields, or sequences of fields, whose values no two rows may share.
    """

    def __init__(
        self,
        name: str,
        *,
        indexes: Sequence[str | Sequence[str]] = (),
        unique: Sequence[str | Sequence[str]] = (),
    ) -> None:
        self.name = _check_name(name)
        self.indexes = [_names(each) for each in indexes]
        self.unique = [_names(each) for each in unique]

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundSqlTable":
        """The table in the log's database.

        Raises:
            Unsupported: the log is not in a SQL database.
            DefinitionError: an index names a field that the model lacks.
        """
        database: SqlDatabase | None = backend.sql
        if database is None:
            raise Unsupported(
                f"projection {projection!r}: SqlTable({self.name!r}) needs a SQL database, and the log is in "
                f"{backend.description}; use MemoryTable(), or a sqlite:// or postgresql:// URL"
            )
        for fields in [*self.indexes, *self.unique]:
            for name in fields:
                if model.field(name) is None:
                    known = ", ".join(each.name for each in model.fields)
                    raise DefinitionError(
                        f"SqlTable({self.name!r}): {model.cls.__name__} has no field {name!r}; it has {known}"
                    )
        return BoundSqlTable(self, database, projection, model)


class BoundSqlTable:
    """The generations of one projection in one database."""

    def __init__(self, declared: SqlTable, database: SqlDatabase, projection: str, model: Model) -> None:
        self._declared = declared
        self._database = database
        self._model = model
        self._registry = GenerationRegistry(database, projection, declared.name)
        self._opened: dict[int, SqlGeneration] = {}
        self.table = Table(quoted_name(declared.name, quote=True), MetaData(schema=database.schema), *columns_of(model))

    @property
    def database(self) -> SqlDatabase:
        """Where the rows are."""
        return self._database

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._registry.all()

    def live(self) -> "SqlGeneration | None":
        """The generation that the view shows."""
        found = next((each for each in self._registry.all() if each.state == "live"), None)
        return None if found is None else self._open(found)

    def building(self, fingerprint: str) -> "SqlGeneration | None":
        """The generation that is being built for this fingerprint."""
        found = (each for each in self._registry.all() if each.state == "building")
        info = next((each for each in found if each.fingerprint == fingerprint), None)
        return None if info is None else self._open(info)

    def create(self, fingerprint: str, *, live: bool) -> "SqlGeneration":
        """A new, empty generation; where another process has just made it, that one."""
        state = "live" if live else "building"
        with self._database.transaction() as connection:
            self._registry.hold(connection)
            known = self._registry.within(connection)
            for info in known:
                if info.state == state and (live or info.fingerprint == fingerprint):
                    return self._open(info)
            number = max((each.number for each in known), default=0) + 1
            physical = self._physical(number)
            self._require_free(connection, physical.name)
            physical.create(connection)
            info = self._registry.insert(connection, number, state, fingerprint)
            if live:
                self._show(connection, number)
        return self._open(info)

    def swap(self, generation: Generation) -> bool:
        """Shows a generation in place of the live one, unless it stands behind it."""
        number = generation.info.number
        with self._database.transaction() as connection:
            known = {each.number: each for each in self._registry.within(connection, lock=True)}
            live = next((each for each in known.values() if each.state == "live"), None)
            if live is not None and live.position > known[number].position:
                return False
            if live is not None:
                self._registry.set_state(connection, live.number, "retired")
            self._registry.set_state(connection, number, "live")
            self._show(connection, number)
        return True

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""
        with self._database.transaction() as connection:
            known = {each.number: each for each in self._registry.within(connection, lock=True)}
            if number in known and known[number].state != "live":
                self._physical(number).drop(connection, checkfirst=True)
                self._registry.remove(connection, number)

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants, through the view."""
        make = self._model.make
        with self._reading() as connection:
            return [make(*row) for row in connection.execute(select_statement(self.table, selection))]

    def count(self, selection: Selection) -> int:
        """How many they are."""
        with self._reading() as connection:
            return int(connection.execute(count_statement(self.table, selection)).scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.reading() as connection:
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.create_collation(DECIMAL_ORDER, compare_decimals)
            yield connection

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        make, table = self._model.make, self._physical(number)
        with self._database.reading() as connection:
            found = connection.execution_options(yield_per=1000).execute(table.select().order_by(table.c[0]))
            yield (make(*row) for row in found)

    def _open(self, info: GenerationInfo) -> "SqlGeneration":
        """The generation, made once: the engine asks for it before every batch."""
        found = self._opened.get(info.number)
        if found is None:
            rows = rows_for(self._database, self._physical(info.number), self._model)
            found = self._opened[info.number] = SqlGeneration(self._database, self._registry, rows, info.number)
        return found

    def _physical(self, number: int) -> Table:
        name = f"{self._declared.name}__g{number}"
        rules = [
            UniqueConstraint(*fields, name=f"{name}_{'_'.join(fields)}_unique") for fields in self._declared.unique
        ]
        table = Table(
            name, MetaData(schema=self._database.schema), *columns_of(self._model), *rules, sqlite_with_rowid=False
        )
        for fields in self._declared.indexes:
            Index(f"{name}_{'_'.join(fields)}", *[table.c[field] for field in fields])
        return table

    def _show(self, connection: Connection, number: int) -> None:
        quoted = connection.dialect.identifier_preparer.format_table
        view, physical = quoted(self.table), quoted(self._physical(number))
        query = f"AS SELECT * FROM {physical}"
        if not self._is_shown(connection):
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")
        elif connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP VIEW {view}")
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")
        else:
            self._replace(connection, view, query)

    def _replace(self, connection: Connection, view: str, query: str) -> None:
        """Keeps the view that grants, other views and prepared statements refer to, where its columns are the same."""
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {view} {query}")
        except DBAPIError:
            connection.exec_driver_sql(f"DROP VIEW {view}")
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")

    def _is_shown(self, connection: Connection) -> bool:
        name, schema = self._declared.name, self._database.schema
        found = inspect(connection)
        if name in found.get_view_names(schema=schema):
            return True
        self._require_free(connection, name)
        return False

    def _require_free(self, connection: Connection, name: str) -> None:
        if inspect(connection).has_table(name, schema=self._database.schema):
            raise DefinitionError(
                f"SqlTable({self._declared.name!r}): {self._database.description} has a table {name!r} already; choose another "
                "name"
            )


class SqlGeneration:
    """One table of rows and its place in the registry."""

    def __init__(self, database: SqlDatabase, registry: GenerationRegistry, rows: SqlRows, number: int) -> None:
        self.database = database
        self.number = number
        self._registry = registry
        self._rows = rows

    @property
    def info(self) -> GenerationInfo:
        """As stored at this moment."""
        return next(each for each in self._registry.all() if each.number == self.number)

    def fetch(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        if not keys:
            return {}
        with self.database.reading() as connection:
            return self._rows.fetch(connection, keys)

    def apply(self, change: Change) -> bool:
        """Writes rows and position in one transaction of its own."""
        with self.database.transaction() as connection:
            return self.write(connection, change)

    def write(self, connection: Connection, change: Change) -> bool:
        """Writes rows and position within a transaction; False, and nothing is written, if another worker was faster."""
        if not self._registry.advance(connection, self.number, change):
            return False
        self._rows.write(connection, change.rows)
        return True


def _check_name(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    if not plain or len(name) > MAX_NAME_LENGTH:
        raise DefinitionError(
            f"SqlTable: expected a name of at most {MAX_NAME_LENGTH} characters of a-z, 0-9 and _, got {name!r}"
        )
    return name


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
