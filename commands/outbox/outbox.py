"""The outbox: what a service tells others, stored in the transaction of what it tells of."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Self

from sqlalchemy import Connection

from commands.clock import now_us
from commands.cloud_event import CloudEvent
from commands.outbox.companion import OutboxCompanion
from commands.outbox.memory_relaying import MemoryRelaying
from commands.outbox.memory_table import MemoryOutboxTable
from commands.outbox.policy import DAY_SECONDS
from commands.outbox.postgresql_relaying import PostgresRelaying
from commands.outbox.preparation import Origin, check_message_id, check_source, current_traceparent, fresh_id, seal
from commands.outbox.publish import Outgoing, ToMessage, check_publish
from commands.outbox.relaying import RelayTable
from commands.outbox.row import PARKED, STATES, OutboxRow
from commands.outbox.slot import Slot
from commands.outbox.sql_table import SqlOutboxTable
from commands.outbox.sqlite_relaying import SqliteRelaying
from commands.outbox.table import Counts, OutboxTable
from commands.pruning import PRUNED_AT_ONCE, prune_all
from eventstore import DefinitionError, Event, EventStore, InvalidInput, NotFound, Unsupported
from eventstore.bounds import MAX_NUMBER, check_number
from eventstore.errors import shown
from eventstore.joined_transaction import OpenTransaction, after_commit, joined
from eventstore.migration import require_migrated
from eventstore.opening import open_backend
from eventstore.preparation import check_message_id as check_any_id
from eventstore.same_database import check_same
from eventstore.sql_database import SqlDatabase


class Outbox:
    """Keeps messages until a relay has handed them to a broker. Safe to share among threads; a context manager.

        outbox = Outbox("sqlite:///shop.db", source="/shop")
        with engine.begin() as connection:
            connection.execute(insert(orders).values(id=7, total=30))
            outbox.add(connection, OrderPlaced(7, 30))

    It needs no events: beside plain rows of the service's own it makes a table of its own in their database, and no log. An
    application has one beside its log, as `app.outbox`.

    Args:
        where: the database: `sqlite:///path` or `postgresql://user@host/database`; or a log, whose outbox it is.
        source: the service, as messages name it: a URI reference.
        publish: with a log: from classes of events to functions that make messages of them.
        migrate: whether to make or update its tables; by default only in SQLite files, which nobody else administers.
        prefix: what every table's name begins with.
        schema: the PostgreSQL schema that holds the tables.
        passing: whether rows are deleted in the transaction that adds them. PostgreSQL's write-ahead log keeps them, which is
            enough for an `OutboxStream`; no relay ever sees them. The replication slot that keeps it there is made here.

    Raises:
        DefinitionError: `publish` makes no sense.
        InvalidInput: another argument is not acceptable.
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
        StoreError: the database cannot be used.
    """

    def __init__(
        self,
        where: str | EventStore,
        *,
        source: str = "/",
        publish: Mapping[type[Event], ToMessage] | None = None,
        migrate: bool | None = None,
        prefix: str = "eventfold_",
        schema: str | None = None,
        passing: bool = False,
    ) -> None:
        self.passing = passing
        self.source = check_source(source)
        maps = check_publish(publish or {})
        self._owned = isinstance(where, str)
        self.store = _open(where, prefix, schema, migrate) if isinstance(where, str) else where
        database = self.store.backend.sql
        self.table, self.relays = _tables(database, passing=passing)
        if passing and database is not None:
            Slot(database).make()  # what passes before there is one is lost
        self.store.accompany(OutboxCompanion(self.table, self.source, maps), first=True)

    def add(self, connection: OpenTransaction | None, *messages: Outgoing) -> tuple[str, ...]:
        """Adds messages in a transaction that the caller has open: they are sent if it is committed, and never otherwise.

        Args:
            connection: the caller's `Connection` or `Session` on the same database; None stores them in a transaction of their own.
            messages: plain or as `NewMessage`.

        Returns:
            Their ids.

        Raises:
            InvalidMessage: one of them is not acceptable; none was stored.
            DuplicateMessage: one has the id of a message that is kept already.
            InvalidInput: the connection is to another database.
            StoreError: the database refused or is gone.
        """
        events = [self.sealed(each) for each in messages]
        if events:
            self.keep_on(connection, events)
        return tuple([each.id for each in events])

    def sealed(
        self,
        message: Outgoing,
        *,
        key: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> CloudEvent:
        """A message ready to be sent.

        Args:
            message: plain or as `NewMessage`.
            key: its key, where it does not say one.
            correlation_id: the conversation that it belongs to, where it does not say so.
            causation_id: what caused it, where it does not say so.

        Raises:
            InvalidMessage: it is not acceptable.
        """
        for field, each in (("correlation_id", correlation_id), ("causation_id", causation_id)):
            check_any_id(field, each)
        traceparent = current_traceparent()
        return seal(message, Origin(self.source, fresh_id(), now_us(), key, correlation_id, causation_id, traceparent))

    def send(self, *messages: Outgoing) -> tuple[str, ...]:
        """Adds messages in a transaction of their own. See `add`."""
        return self.add(None, *messages)

    def keep(self, events: list[CloudEvent], also: Callable[[Connection | None], None] = lambda _: None) -> None:
        """Stores messages in a transaction of their own.

        Args:
            events: the messages.
            also: stores something else in it; what it raises takes the messages back.
        """
        database = self.store.backend.sql
        if database is None:
            self.table.insert(None, events, now_us())
            try:
                also(None)
            except BaseException:
                self.table.remove([each.id for each in events])
                raise
        else:
            with database.durable() as connection:
                self.table.insert(connection, events, now_us())
                also(connection)
        self.store.announce()

    def keep_on(self, given: OpenTransaction | None, events: list[CloudEvent]) -> None:
        """Stores messages in a transaction that the caller has open; None stands for one of their own."""
        if given is None:
            self.keep(events)
            return
        database = self.store.backend.sql
        if database is None:
            raise Unsupported(
                "memory: there is no transaction to add messages in; use SQLite or PostgreSQL, or give None for the connection"
            )
        connection = joined(given)
        check_same(database, connection)
        with database.translating(), connection.begin_nested() if len(events) > 1 else nullcontext():  # all, or none
            self.table.insert(connection, events, now_us())
        after_commit(connection, self.store.announce)

    def messages(
        self,
        *,
        state: str | None = None,
        channel: str | None = None,
        key: str | None = None,
        after: int = 0,
        limit: int | None = 100,
    ) -> list[OutboxRow]:
        """Messages in the order in which they were added.

        Args:
            state: only those that are `pending`, `waiting` for their next try, `parked` or `sent`.
            channel: only those of this channel.
            key: only those of this key.
            after: only those with a higher number than this one.
            limit: at most so many; None for all.

        Raises:
            InvalidInput: an argument is not acceptable.
        """
        if state is not None and state not in STATES:
            raise InvalidInput(f"state: expected one of {', '.join(STATES)}, got {shown(state)}")
        check_number("after", after)
        return self.table.page(
            state, channel, key, after, MAX_NUMBER if limit is None else check_number("limit", limit)
        )

    def message(self, message_id: str) -> OutboxRow:
        """The message with this id.

        Raises:
            NotFound: there is none, or it was pruned after it was sent.
        """
        found = self.table.find(check_message_id("message_id", message_id))
        if found is None:
            raise NotFound(
                f"the outbox has no message {message_id}. `eventfold outbox list` shows the messages there are."
            )
        return found

    def status(self) -> Counts:
        """How many messages there are in each state, and whether the broker takes them."""
        return self.table.counts()

    def retry(self, *message_ids: str) -> int:
        """Lets parked messages be sent, each with those that are parked only because they follow it.

        Args:
            message_ids: which ones; by default all that are parked.

        Returns:
            How many they are, with their followers.

        Raises:
            NotFound: there is no such message.
            InvalidInput: it is not parked.
        """
        if message_ids:
            rows = [self._parked(each) for each in message_ids]
        else:
            rows = [each for each in self.messages(state=PARKED, limit=None) if each.error is not None]
        count = sum(self.table.unpark(each) for each in rows)
        self.store.announce()
        return count

    def discard(self, message_id: str) -> OutboxRow:
        """Gives a parked message up: it is never sent. Those that are parked only because they follow it are.

        Raises:
            NotFound: there is no such message.
            InvalidInput: it is not parked.
        """
        row = self._parked(message_id)
        self.table.discard(row)
        self.store.announce()
        return row

    def _parked(self, message_id: str) -> OutboxRow:
        row = self.message(message_id)
        if row.state != PARKED:
            raise InvalidInput(f"message {message_id}: expected a parked one, got one that is {row.state}")
        return row

    def prune(self, older_than_seconds: float = DAY_SECONDS) -> int:
        """Forgets messages that were sent longer ago than that; returns how many they were. A relay does so by itself."""
        return prune_all(self.table.prune, _before(older_than_seconds))

    def prune_some(self, older_than_seconds: float) -> bool:
        """Forgets some of those that were sent longer ago; whether there may be more."""
        return self.table.prune(_before(older_than_seconds), PRUNED_AT_ONCE) == PRUNED_AT_ONCE

    def close(self) -> None:
        """Lets go of the database, unless it is a log's."""
        if self._owned:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _before(older_than_seconds: float) -> int:
    if isinstance(older_than_seconds, bool) or not older_than_seconds >= 0:
        raise InvalidInput(f"older_than_seconds: expected seconds, 0 or more, got {older_than_seconds!r}")
    return now_us() - int(older_than_seconds * 1e6)


def _tables(database: SqlDatabase | None, *, passing: bool) -> tuple[OutboxTable, RelayTable]:
    if passing and (database is None or database.dialect != "postgresql"):
        raise DefinitionError(
            "outbox: passing: expected a database in PostgreSQL, whose write-ahead log keeps what was deleted"
        )
    if database is None:
        kept = MemoryOutboxTable()
        return kept, MemoryRelaying(kept)
    table = SqlOutboxTable(database, passing=passing)
    return table, SqliteRelaying(table) if database.dialect == "sqlite" else PostgresRelaying(table)


def _open(url: str, prefix: str, schema: str | None, migrate: bool | None) -> EventStore:  # noqa: FBT001 - as it is told
    """The database, with the tables of this room in it and none of a log."""
    backend = open_backend(url, prefix=prefix, schema=schema)
    try:
        database = backend.sql
        if database is not None:
            migrator = database.migrator("commands", "commands.migrations")
            if migrate if migrate is not None else database.dialect == "sqlite":
                migrator.migrate()
            require_migrated(migrator.pending(), backend.description)
    except BaseException:
        backend.close()
        raise
    return EventStore(backend)
