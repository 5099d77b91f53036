"""The tables in which commands keep what they need, migrated with the log's own."""

from commands.idempotency.ledger import Ledger
from commands.idempotency.memory_keys import MemoryKeys
from commands.idempotency.sql_keys import SqlKeys
from eventfold.projection_tables import bring_up
from eventstore import EventStore
from eventstore.migration import Migrator


def command_migrator(store: EventStore) -> Migrator | None:
    """The migrator of the commands' tables; None where the log is not in a SQL database."""
    database = store.backend.sql
    return None if database is None else database.migrator("commands", "commands.migrations")


def migrate_commands(store: EventStore, *, migrate: bool | None) -> None:
    """Makes or checks the tables, by the same rule as `open_store`: SQLite files are migrated unless told otherwise.

    Raises:
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
    """
    bring_up(command_migrator(store), store, migrate=migrate)


def ledger_of(store: EventStore) -> Ledger:
    """The idempotency keys of a log, which it keeps from now on with the appends that come with one."""
    database = store.backend.sql
    ledger = Ledger(MemoryKeys() if database is None else SqlKeys(database))
    store.accompany(ledger, first=True)
    return ledger
