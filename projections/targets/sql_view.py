"""The view that shows the live generation under the name that queries, and other programs, know."""

from typing import Any

from sqlalchemy import Connection, Table, inspect
from sqlalchemy.exc import DBAPIError

from eventstore import DefinitionError
from eventstore.sql_database import SqlDatabase


class SqlView:
    """One view. It is replaced within a transaction, so that a reader sees the old rows or the new ones.

    Args:
        database: where it is.
        table: the view, as SQLAlchemy knows it.
        kind: what the user calls such a view, for errors.
    """

    def __init__(self, database: SqlDatabase, table: Table, kind: str = "SqlTable") -> None:
        self._database = database
        self._table = table
        self._kind = kind

    def show(self, connection: Connection, shown: Table) -> None:
        """Shows the rows of a table from now on."""
        self.define(connection, f"SELECT * FROM {connection.dialect.identifier_preparer.format_table(shown)}")

    def define(self, connection: Connection, query: str) -> None:
        """Shows what a query gives from now on."""
        view = connection.dialect.identifier_preparer.format_table(self._table)
        if not self._is_there(connection):
            run(connection, f"CREATE VIEW {view} AS {query}")
        elif connection.dialect.name == "sqlite":
            run(connection, f"DROP VIEW {view}")
            run(connection, f"CREATE VIEW {view} AS {query}")
        else:
            self._replace(connection, view, query)

    def require_free(self, connection: Connection, name: str) -> None:
        """Makes sure that no table of the user's has this name.

        Raises:
            DefinitionError: one has.
        """
        if inspect(connection).has_table(name, schema=self._database.schema):
            raise DefinitionError(
                f"{self._kind}({self._table.name!r}): {self._database.description} has a table {name!r} already; "
                "choose another name"
            )

    def _replace(self, connection: Connection, view: str, query: str) -> None:
        """Keeps the view that grants, other views and prepared statements refer to, where its columns are the same."""
        dbapi: Any = connection.dialect.dbapi
        try:
            with connection.begin_nested():
                run(connection, f"CREATE OR REPLACE VIEW {view} AS {query}")
        except dbapi.Error as error:
            if is_lock_timeout(error):
                raise
            run(connection, f"DROP VIEW {view}")
            run(connection, f"CREATE VIEW {view} AS {query}")

    def _is_there(self, connection: Connection) -> bool:
        if self._table.name in inspect(connection).get_view_names(schema=self._database.schema):
            return True
        self.require_free(connection, self._table.name)
        return False


def run(connection: Connection, sql: str, *, alone: bool = False) -> None:
    """Through the driver's cursor, to which a percent sign means nothing; `alone` refuses a second statement."""
    cursor: Any = connection.connection.cursor()
    try:
        if alone and connection.dialect.name == "postgresql":
            cursor.execute(sql, binary=True)
        else:
            cursor.execute(sql)
    finally:
        cursor.close()


def is_lock_timeout(error: BaseException) -> bool:
    """Whether somebody else has held a lock for too long."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) == "55P03"
