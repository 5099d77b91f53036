"""Opens an inbox."""

from collections.abc import Iterable
from typing import Any

from commands.brokers.broker import Broker
from commands.inbox.consumer import Consumer
from commands.inbox.consuming import Consuming
from commands.inbox.effects import Reach
from commands.inbox.group import groups_of
from commands.inbox.inbox import Inbox
from commands.inbox.memory_table import MemoryInbox
from commands.inbox.sql_table import SqlInbox
from commands.inbox.table import InboxTable
from eventstore.migration import require_migrated
from eventstore.opening import open_backend
from eventstore.sql_database import SqlDatabase


def open_inbox(
    url: str,
    *,
    consumers: Iterable[Consumer[..., Any]],
    broker: str | Broker | None = None,
    consuming: Consuming | None = None,
    migrate: bool | None = None,
    **options: Any,
) -> Inbox:
    """An inbox in a database without a log: for a service that keeps plain rows. An application has its own, `app.inbox`.

        with open_inbox("postgresql://...", consumers=[ship], broker="nats://127.0.0.1:4222") as inbox:
            inbox.worker().run()

    Args:
        url: `sqlite:///path`, `postgresql://user@host/database`, or `memory://`.
        consumers: functions under `@consumes`. They have neither `dispatch` nor `append`.
        broker: where the messages come from: its URL.
        consuming: how they are consumed.
        migrate: whether to make or update the tables; by default only in SQLite files, which nobody else administers.
        options: as for `open_store`: `prefix`, `schema`, ...

    Raises:
        DefinitionError: the consumers contradict each other.
        InvalidInput: the URL, or an option, is not acceptable.
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
        StoreUnavailable: the database cannot be reached.
    """
    groups = groups_of(consumers)
    backend = open_backend(url, **options)
    try:
        if backend.sql is not None:
            _make_or_check(backend.sql, migrate=migrate)
        table = inbox_table(backend.sql)
    except BaseException:
        backend.close()
        raise
    return Inbox(table, groups, broker, Reach(), consuming or Consuming(), backend.close)


def inbox_table(database: SqlDatabase | None) -> InboxTable:
    """Where an inbox keeps what it knows: in a database, or in memory where there is none."""
    return MemoryInbox() if database is None else SqlInbox(database)


def _make_or_check(database: SqlDatabase, *, migrate: bool | None) -> None:
    migrator = database.migrator("commands", "commands.migrations")
    if migrate if migrate is not None else database.dialect == "sqlite":
        migrator.migrate()
    require_migrated(migrator.pending(), database.description)
