"""The tables in which projections keep their generations, migrated with the log's own."""

from eventstore import EventStore
from eventstore.migration import Migrator, require_migrated


def projection_migrator(store: EventStore) -> Migrator | None:
    """The migrator of the projections' tables; None where the log is not in a SQL database."""
    database = store.backend.sql
    return None if database is None else database.migrator("projections", "projections.migrations")


def migrate_projections(store: EventStore, *, migrate: bool | None) -> None:
    """Makes or checks the tables, by the same rule as `open_store`: SQLite files are migrated unless told otherwise.

    Raises:
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
    """
    bring_up(projection_migrator(store), store, migrate=migrate)


def bring_up(migrator: Migrator | None, store: EventStore, *, migrate: bool | None) -> None:
    """Makes or checks the tables of a room. See `migrate_projections`."""
    if migrator is None:
        return
    database = store.backend.sql
    if migrate if migrate is not None else database is not None and database.dialect == "sqlite":
        migrator.migrate()
    require_migrated(migrator.pending(), store.backend.description)
