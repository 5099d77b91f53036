"""The SQL of a reporting view: made, refreshed and dropped, in either database.

What programs read is a view under the name itself. Where rows are kept, they are in a materialised view, or on SQLite in a table,
that is called `revenue__m3`, and the view shows that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import quoted_name

from eventstore.sql_database import SqlDatabase
from projections.errors import ViewRefused
from projections.targets.sql_view import SqlView, is_lock_timeout, run
from projections.targets.sql_view_registry import ViewRegistry

_PASSING = ("locked", "busy", "disk", "full", "readonly", "unable to open", "interrupted")
"""SQLite's errors that say nothing of the SQL."""


class SqlReport:
    """One view of one database.

    Args:
        database: where it is.
        name: of the view.
        unique: the columns that tell its rows apart.
    """

    def __init__(self, database: SqlDatabase, name: str, unique: Sequence[str]) -> None:
        self._database, self._name, self._unique = database, name, unique
        self._sqlite = database.dialect == "sqlite"
        table = Table(quoted_name(name, quote=True), MetaData(schema=database.schema))
        self._view = SqlView(database, table, "ReportingView")

    def check(self, connection: Connection, sql: str, columns: Sequence[str]) -> None:
        """Has the database read the SQL, and look for the columns, without computing anything.

        Raises:
            ViewRefused: it finds fault with it.
        """
        quote = connection.dialect.identifier_preparer.quote_identifier
        wanted = ", ".join(f"shown.{quote(each)}" for each in columns) or "*"
        with self.refusals(), connection.begin_nested():
            run(connection, f"EXPLAIN SELECT {wanted} FROM (\n{sql}\n) AS shown", alone=True)

    def keep(self, connection: Connection, number: int, sql: str) -> None:
        """Computes the rows into a table of their own."""
        kind = "TABLE" if self._sqlite else "MATERIALIZED VIEW"
        kept = self.kept(number)
        quote = connection.dialect.identifier_preparer.quote_identifier
        with self.refusals():
            run(connection, f"CREATE {kind} {kept} AS\n{sql}")
            if self._unique:
                index = quote(f"{self._name}__m{number}_key")
                columns = ", ".join(map(quote, self._unique))
                run(connection, f"CREATE UNIQUE INDEX {index} ON {kept} ({columns})")

    @property
    def refreshes_in_place(self) -> bool:
        """Whether the rows can be refreshed without holding up a reader."""
        return bool(self._unique) and not self._sqlite

    def refresh(self, connection: Connection, number: int) -> None:
        """Computes the rows again and writes those that differ; readers see the former ones until the commit."""
        with self.refusals():
            run(connection, f"REFRESH MATERIALIZED VIEW CONCURRENTLY {self.kept(number)}")

    def show(self, connection: Connection, query: str) -> None:
        """Shows what a query gives, from now on, under the view's name."""
        with self.refusals():
            self._view.define(connection, query)

    def discard(self, connection: Connection, number: int) -> None:
        """Drops the table of the rows."""
        if number:
            kind = "TABLE" if self._sqlite else "MATERIALIZED VIEW"
            run(connection, f"DROP {kind} IF EXISTS {self.kept(number)}")

    def drop(self, connection: Connection, number: int) -> None:
        """Drops the view and its rows."""
        run(connection, f"DROP VIEW IF EXISTS {self._qualified(self._name)}")
        self.discard(connection, number)

    def kept(self, number: int) -> str:
        """The name of the table of the rows."""
        return self._qualified(f"{self._name}__m{number}")

    def _qualified(self, name: str) -> str:
        return self._database.qualified(f'"{name}"')

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Raises what the database has against the SQL, or against a row of it, by the view's name.

        Raises:
            ViewRefused: it has something.
        """
        try:
            yield
        except Exception as error:
            cause = (error.orig or error) if isinstance(error, DBAPIError) else error
            if not self._is_refusal(cause):
                raise
            raise ViewRefused(self._name, " ".join(str(cause).split())) from error

    def _is_refusal(self, error: BaseException) -> bool:
        dbapi: Any = self._database.engine.dialect.dbapi
        if self._sqlite:
            return isinstance(error, dbapi.Error) and not any(word in str(error) for word in _PASSING)
        return isinstance(error, dbapi.Error) and not isinstance(error, (dbapi.OperationalError, dbapi.InterfaceError))


LOCK_SECONDS = 0.3
"""How long a name's lock is waited for at a time. PostgreSQL looks for a deadlock after a second, and might end the reader."""
TRIES = 40


def show_together(connection: Connection, shows: Sequence[Callable[[], None]]) -> None:
    """Puts several views in their new places within a transaction.

    A reader of several of them may hold the lock of one while it waits for another. So all are let go of, and tried again, when one
    is not to be had soon.
    """
    if connection.dialect.name != "postgresql" or len(shows) < 2:  # noqa: PLR2004 - one alone waits for nobody who waits for it
        for show in shows:
            show()
        return
    before = connection.exec_driver_sql("SELECT current_setting('lock_timeout')").scalar_one()
    for left in reversed(range(TRIES)):
        try:
            with connection.begin_nested():
                _lock_timeout(connection, f"{LOCK_SECONDS * 1000:.0f}ms")
                for show in shows:
                    show()
                _lock_timeout(connection, before)
        except Exception as error:
            if not left or not is_lock_timeout(error):
                raise
        else:
            return


def _lock_timeout(connection: Connection, value: str) -> None:
    connection.exec_driver_sql("SELECT set_config('lock_timeout', %s, true)", (value,))


def drop_over(connection: Connection, database: SqlDatabase, generation: tuple[str, str, int]) -> None:
    """Drops the views that still show a generation, which is about to be dropped itself."""
    registry = ViewRegistry(database)
    for name, number in registry.over(connection, generation).items():
        SqlReport(database, name, ()).drop(connection, number)
        registry.remove(connection, name)
