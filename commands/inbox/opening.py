"""Opens the tables of an inbox."""

from commands.inbox.memory_table import MemoryInbox
from commands.inbox.sql_table import SqlInbox
from commands.inbox.table import InboxTable
from eventstore.backend import Backend
from eventstore.migration import require_migrated
from eventstore.opening import open_backend
from eventstore.sql_database import SqlDatabase


def inbox_table(database: SqlDatabase | None) -> InboxTable:
    """Where an inbox keeps what it knows: in a database, or in memory where there is none."""
    return MemoryInbox() if database is None else SqlInbox(database)


def open_database(url: str, *, prefix: str, schema: str | None, migrate: bool | None) -> Backend:
    """A database with the tables of this room, and none of a log.

    Args:
        url: of the database.
        prefix: what every table's name begins with.
        schema: the PostgreSQL schema that holds the tables.
        migrate: whether to make or update the tables; by default only in SQLite files.
    """
    backend = open_backend(url, prefix=prefix, schema=schema)
    try:
        if backend.sql is not None:
            migrator = backend.sql.migrator("commands", "commands.migrations")
            if migrate if migrate is not None else backend.sql.dialect == "sqlite":
                migrator.migrate()
            require_migrated(migrator.pending(), backend.description)
    except BaseException:
        backend.close()
        raise
    return backend
