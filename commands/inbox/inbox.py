"""The inbox: messages of other services, each handled once in effect and in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

from commands.brokers.broker import Broker
from commands.idempotency.ledger import now_us
from commands.inbox.chain import Chain
from commands.inbox.consumer import Reading
from commands.inbox.consuming import Consuming
from commands.inbox.effects import Reach
from commands.inbox.group import Group
from commands.inbox.messages import InboxMessage, InboxStatus, RetriedMessages, message_of, status_of
from commands.inbox.pruning import prune
from commands.inbox.retrying import Retrying
from commands.inbox.table import InboxTable, Kept, Lane
from commands.inbox.worker import InboxWorker
from eventstore import DefinitionError, NotFound

_PAGE = 1_000


class Inbox:
    """Of an application (`app.inbox`), or of a database without a log (`open_inbox`). Safe to share among threads.

    Args:
        table: where it keeps what it knows.
        groups: whose consumers handle the messages.
        broker: where they come from; None where there is none, so that nothing can be consumed.
        reach: what the consumers can reach.
        consuming: how they consume.
        close: lets go of the database.
    """

    def __init__(
        self,
        table: InboxTable,
        groups: Sequence[Group],
        broker: str | Broker | None,
        reach: Reach,
        consuming: Consuming,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._table, self._groups, self._broker, self._reach = table, tuple(groups), broker, reach
        self._consuming, self._close = consuming, close

    @property
    def pipeline(self) -> tuple[str, ...]:
        """The middleware around every consumer, from the outside in."""
        return Chain(self._consuming.middleware).names

    def worker(self) -> InboxWorker:
        """Consumes messages: `run()` it, or use it as a context manager in a thread.

        Raises:
            DefinitionError: there is no broker.
        """
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
        kept = self._find(number)
        gone = [kept, *(self._table.followers(kept) if followers else [])]
        with self._table.transaction() as connection:
            self._table.lock(connection, kept.lane)
            for each in gone:
                self._table.done(connection, each, now_us())
        return len(gone)

    def prune(self) -> int:
        """Forgets what was handled longer ago than is to be remembered; returns how many messages. A worker does so by itself."""
        return prune(self._table, self._consuming.keep_seconds)

    def status(self) -> list[InboxStatus]:
        """How far each group has read each partition."""
        return [status_of(each) for each in self._table.status(now_us())]

    def close(self) -> None:
        """Lets go of the database."""
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
