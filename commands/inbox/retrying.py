"""Handles messages that were set aside, in their order, each in a transaction of its own."""

import logging

from msgspec.structs import replace

from commands.clock import now_us
from commands.inbox.arrival import Arrival, read_arrival, told
from commands.inbox.chain import Chain, ConsumerFailed, at_fault
from commands.inbox.conflicts import until_no_conflict
from commands.inbox.effects import Effects, Reach
from commands.inbox.group import Group
from commands.inbox.next_try import next_try
from commands.inbox.table import InboxTable, Kept, Lane
from eventstore import Conflict, InvalidInput

logger = logging.getLogger(__name__)


class Retrying:
    """Of one lane.

    Args:
        table: of the inbox.
        group: whose consumers handle the messages.
        lane: where they came from.
        reach: what the consumers can reach.
        chain: the middleware around them.
    """

    def __init__(self, table: InboxTable, group: Group, lane: Lane, reach: Reach, chain: Chain) -> None:
        self._table, self._group, self._lane, self._reach, self._chain = table, group, lane, reach, chain

    def retry_due(self) -> float | None:
        """Handles what it is time for; seconds until there is more, None where nothing waits for its time."""
        for kept in self._table.due(self._lane, now_us()):
            while self._first_of(kept, only_due=True):
                pass
        due = self._table.next_try(self._lane)
        return None if due is None else max(0.0, (due - now_us()) / 1e6)

    def retry(self, kept: Kept) -> int:
        """Handles a message, and what follows it under its key, as far as that goes; returns how many were handled."""
        done = 0
        while self._first_of(kept, only_due=False):
            done += 1
        return done

    def _first_of(self, kept: Kept, *, only_due: bool) -> bool:
        """Handles the first message of a key; False where there is none, it is not its time, or it fails."""
        head = self._table.head(None, self._lane, kept.key, kept.number)
        if head is None or (only_due and (head.next_try_us is None or head.next_try_us > now_us())):
            return False
        arrival = read_arrival(self._group, self._lane.partition, head.delivery)
        try:
            until_no_conflict(lambda: self._handle(head, arrival))
        except (ConsumerFailed, Conflict) as failure:
            self._failed(head, arrival, failure.error if isinstance(failure, ConsumerFailed) else failure)
            return False
        return True

    def _handle(self, head: Kept, arrival: Arrival) -> None:
        with self._table.transaction() as connection:
            self._table.lock(connection, self._lane)
            first = self._table.head(connection, self._lane, head.key, head.number)
            if first is None or first.number != head.number:
                return  # somebody else was faster
            if arrival.readable is None:
                raise ConsumerFailed(InvalidInput(f"no consumer of group {self._lane.group!r} wants it"))
            if head.identity is None and arrival.identity is not None:  # it could not be told when the message came
                head = replace(head, identity=arrival.identity)
                if self._table.handled(connection, self._lane.group, [arrival.identity]):
                    self._table.done(connection, head, now_us())
                    return
            effects = Effects(connection, self._reach)
            self._chain.consume(arrival.readable, arrival, self._lane, head.attempts + 1, effects)
            self._table.check(connection)
            with at_fault():
                effects.finish()
            self._table.done(connection, head, now_us())

    def _failed(self, head: Kept, arrival: Arrival, error: BaseException) -> None:
        attempts, text = head.attempts + 1, arrival.error or told(error)
        readable = arrival.readable
        next_try_us = None if readable is None else next_try(readable.consumer.retry, attempts)
        logger.warning("message %d of the inbox failed again, attempt %d: %s", head.number, attempts, text)
        with self._table.transaction() as connection:
            self._table.lock(connection, self._lane)
            self._table.failed(connection, replace(head, attempts=attempts, error=text, next_try_us=next_try_us))
