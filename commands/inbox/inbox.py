"""The inbox: messages of other services, each handled once in effect and in order."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from commands.brokers.opening import BrokerSource, check_broker
from commands.clock import now_us
from commands.inbox.chain import Chain
from commands.inbox.consumer import Consumer, Reading
from commands.inbox.consuming import Consuming
from commands.inbox.effects import Reach
from commands.inbox.group import Group, groups_of
from commands.inbox.messages import InboxMessage, InboxStatus, RetriedMessages, message_of, status_of
from commands.inbox.opening import inbox_table, open_database
from commands.inbox.positions import check_positions
from commands.inbox.pruning import prune
from commands.inbox.retrying import Retrying
from commands.inbox.table import InboxTable, Kept, Lane
from commands.inbox.worker import InboxWorker
from commands.outbox.outbox import Outbox
from commands.unit_of_work import UnitOfWork
from eventstore import DefinitionError, EventStore, NotFound

_PAGE = 1_000


class Inbox:
    """Handles what other services say. Safe to share among threads; a context manager.

        with Inbox("sqlite:///shipping.db", consumers=[ship], broker="nats://127.0.0.1:4222") as inbox:
            inbox.worker().run()

    It needs no events: beside plain rows of the service's own it makes tables of its own in their database, and no log. An
    application has one beside its log, as `app.inbox`.

    Args:
        where: the database: `sqlite:///path` or `postgresql://user@host/database`; or a log, beside which it is kept.
        consumers: functions under `@consumes`.
        broker: where the messages come from: its URL, or a function that makes a connection. Without one, nothing can be consumed.
        consuming: how they are consumed.
        outbox: of the same database, so that consumers can `publish`.
        unit: with a log: begins a unit of work, so that consumers can `dispatch` and `append`.
        migrate: whether to make or update its tables; by default only in SQLite files, which nobody else administers.
        prefix: what every table's name begins with.
        schema: the PostgreSQL schema that holds the tables.

    Raises:
        DefinitionError: the consumers are no list of consumers or contradict each other, or `broker` is a connection of one
            event loop.
        InvalidInput: another argument is not acceptable.
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
        StoreError: the database cannot be used.
    """

    def __init__(
        self,
        where: str | EventStore,
        *,
        consumers: Iterable[Consumer[..., Any]],
        broker: BrokerSource | None = None,
        consuming: Consuming | None = None,
        outbox: Outbox | None = None,
        unit: Callable[[], UnitOfWork] | None = None,
        migrate: bool | None = None,
        prefix: str = "eventfold_",
        schema: str | None = None,
    ) -> None:
        self._groups = groups_of(consumers)
        self._broker = check_broker(broker)
        check_positions(self._groups, self._broker)
        self._consuming = consuming or Consuming()
        self._reach = Reach(unit, None if outbox is None else lambda: outbox)
        self._close: Callable[[], None] = lambda: None
        if isinstance(where, str):
            backend = open_database(where, prefix=prefix, schema=schema, migrate=migrate)
            self._close = backend.close
        else:
            backend = where.backend
        self._table: InboxTable = inbox_table(backend.sql)

    @property
    def pipeline(self) -> tuple[str, ...]:
        """The middleware around every consumer, from the outside in."""
        return Chain(self._consuming.middleware).names

    def worker(self) -> InboxWorker:
        """Consumes messages: `run()` it, or use it as a context manager in a thread.

        Raises:
            DefinitionError: there is no broker, or nobody to consume.
        """
        if not self._groups:
            raise DefinitionError(
                "inbox: there is nobody to consume; name functions under @consumes, as in consumers=[ship]"
            )
        if self._broker is None:
            raise DefinitionError(
                "inbox: there is nothing to consume from; name a broker, as in broker='nats://127.0.0.1:4222'"
            )
        return InboxWorker(self._table, self._groups, self._broker, self._reach, self._consuming)

    def messages(self, *, after: int = 0, limit: int | None = None) -> list[InboxMessage]:
        """The messages that are set aside and are the first ones of their keys, by number.

        Args:
            after: only numbers above it.
            limit: at most so many.
        """
        return [message_of(each, first=True, followers=behind) for each, behind in self._heads(after, limit)]

    def message(self, number: int) -> InboxMessage:
        """A message that is set aside.

        Raises:
            NotFound: there is none of that number.
        """
        kept = self._find(number)
        head = self._table.head(None, kept.lane, kept.key, number)
        return message_of(kept, first=head == kept, followers=len(self._table.followers(kept)))

    def followers(self, number: int) -> list[InboxMessage]:
        """What follows a message under its key, in order.

        Raises:
            NotFound: there is none of that number.
        """
        return [message_of(each, first=False, followers=0) for each in self._table.followers(self._find(number))]

    def retry(self, *numbers: int) -> list[RetriedMessages]:
        """Handles messages that are set aside, each with what follows it under its key, in order, as far as they go.

        Consumers need not be stopped. It is done in this thread.

        Args:
            numbers: of the messages; those ahead of one under its key are handled first. By default all.

        Raises:
            NotFound: there is none of one of the numbers.
        """
        chosen = [self._first(each) for each in numbers] if numbers else [each for each, _ in self._heads(0, None)]
        return [self._retry(each) for each in dict.fromkeys(each.number for each in chosen)]

    def discard(self, number: int, *, followers: bool = False) -> int:
        """Gives a message up: it is never handled. What follows it is tried now.

        Args:
            number: of the message.
            followers: whether to give up what follows it under its key, too.

        Returns:
            How many messages were given up.

        Raises:
            NotFound: there is none of that number.
        """
        lane = self._find(number).lane
        with self._table.transaction() as connection:
            self._table.lock(connection, lane)
            kept = self._find(number)  # as it is now that nobody else handles it, or adds to what follows it
            gone = [kept, *(self._table.followers(kept) if followers else [])]
            for each in gone:
                self._table.done(connection, each, now_us())
        return len(gone)

    def prune(self) -> int:
        """Forgets what was handled longer ago than is to be remembered; returns how many messages. A worker does so by itself."""
        return prune(self._table, self._consuming.keep_seconds)

    def status(self) -> list[InboxStatus]:
        """How far each group has read each partition."""
        return [status_of(each) for each in self._table.status()]

    def close(self) -> None:
        """Lets go of the database, unless it is a log's."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _find(self, number: int) -> Kept:
        kept = self._table.find(number)
        if kept is None:
            raise NotFound(f"the inbox has no message {number}. `eventfold inbox list` shows those that there are.")
        return kept

    def _first(self, number: int) -> Kept:
        kept = self._find(number)
        return self._table.head(None, kept.lane, kept.key, number) or kept

    def _heads(self, after: int, limit: int | None) -> Iterator[tuple[Kept, int]]:
        left = limit
        while left is None or left > 0:
            page = self._table.heads(_PAGE if left is None else min(left, _PAGE), after)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0].number
            left = None if left is None else left - len(page)

    def _retry(self, number: int) -> RetriedMessages:
        kept = self._find(number)
        lane = kept.lane
        group = self._group(lane)
        handled = Retrying(self._table, group, lane, self._reach, Chain(self._consuming.middleware)).retry(kept)
        head = self._table.head(None, lane, kept.key, number)
        left = 0 if head is None else 1 + len(self._table.followers(head))
        return RetriedMessages(
            number, lane.group, lane.channel, kept.key, handled, left, None if head is None else head.error
        )

    def _group(self, lane: Lane) -> Group:
        """The consumers of a lane; none where the code has them no more."""
        same = [
            each for each in self._groups if (each.reading.group, each.reading.channel) == (lane.group, lane.channel)
        ]
        return same[0] if same else Group(Reading(lane.group, lane.channel, None, "event"), ())
