"""The view that shows the live generation under the name that queries, and other programs, know."""

from sqlalchemy import Connection, Table, inspect
from sqlalchemy.exc import DBAPIError

from eventstore import DefinitionError
from eventstore.sql_database import SqlDatabase


class SqlView:
    """One view. It is replaced within a transaction, so that a reader sees the old rows or the new ones.

    Args:
        database: where it is.
        table: the view, as SQLAlchemy knows it.
    """

    def __init__(self, database: SqlDatabase, table: Table) -> None:
        self._database = database
        self._table = table

    def show(self, connection: Connection, shown: Table) -> None:
        """Shows the rows of a table from now on."""
        quoted = connection.dialect.identifier_preparer.format_table
        view, query = quoted(self._table), f"AS SELECT * FROM {quoted(shown)}"
        if not self._is_there(connection):
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")
        elif connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP VIEW {view}")
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")
        else:
            self._replace(connection, view, query)

    def require_free(self, connection: Connection, name: str) -> None:
        """Makes sure that no table of the user's has this name.

        Raises:
            DefinitionError: one has.
        """
        if inspect(connection).has_table(name, schema=self._database.schema):
            raise DefinitionError(
                f"SqlTable({self._table.name!r}): {self._database.description} has a table {name!r} already; choose another name"
            )

    def _replace(self, connection: Connection, view: str, query: str) -> None:
        """Keeps the view that grants, other views and prepared statements refer to, where its columns are the same."""
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {view} {query}")
        except DBAPIError:
            connection.exec_driver_sql(f"DROP VIEW {view}")
            connection.exec_driver_sql(f"CREATE VIEW {view} {query}")

    def _is_there(self, connection: Connection) -> bool:
        if self._table.name in inspect(connection).get_view_names(schema=self._database.schema):
            return True
        self.require_free(connection, self._table.name)
        return False
