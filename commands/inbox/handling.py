"""Handles what arrives in one lane: each message once in effect, those of a key in order.

A batch is handled in one transaction, which also moves the lane. Where a consumer fails, nothing of the batch is stored, and its
halves are handled on their own, until the message is found that is at fault. It is set aside, and so is all that follows it under
its key, in a transaction that moves the lane, too; so it never holds up other keys.
"""

import logging
import time
from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.brokers.broker import Delivery
from commands.clock import now_us
from commands.inbox.arrival import Arrival, read_arrival, told
from commands.inbox.chain import Chain, ConsumerFailed, at_fault
from commands.inbox.effects import Effects, Reach
from commands.inbox.group import Group
from commands.inbox.next_try import next_try
from commands.inbox.table import InboxTable, Lane, Mark
from commands.retry import RetryPolicy
from eventstore import Conflict

logger = logging.getLogger(__name__)

CONFLICTS = RetryPolicy()
"""How often messages are handled anew at once, because somebody else has moved what they depend on."""


class MovedOn(Exception):
    """Somebody else has read on in this lane: begin again from where it stands."""


class Handling:
    """Of one lane, in one thread at a time.

    Args:
        table: of the inbox.
        group: whose consumers handle the messages.
        partition: of its channel.
        reach: what the consumers can reach.
        chain: the middleware around them.
    """

    def __init__(self, table: InboxTable, group: Group, partition: int, reach: Reach, chain: Chain) -> None:
        self.lane = Lane(group.reading.group, group.reading.channel, partition)
        self._table, self._group, self._reach, self._chain = table, group, reach, chain
        self._mark = Mark()
        self._aside = False

    def begin(self) -> str | None:
        """Looks where the lane stands, to read on from there: the position of the last message that was handled."""
        with self._table.transaction() as connection:
            self._mark = self._table.lock(connection, self.lane)
        return self._mark.position

    def handle(self, deliveries: Sequence[Delivery]) -> bool:
        """Handles what comes next, or sets it aside; whether it has set something aside.

        Raises:
            MovedOn: somebody else has read on.
            StoreError: the database is away, or refuses. Nothing was lost.
        """
        self._aside = False
        if deliveries:
            self._handle([read_arrival(self._group, self.lane.partition, each) for each in deliveries])
        return self._aside

    def _handle(self, arrivals: Sequence[Arrival]) -> None:
        try:
            self._until_no_conflict(arrivals)
        except (ConsumerFailed, Conflict) as failure:
            half = len(arrivals) // 2
            if half:
                self._handle(arrivals[:half])
                self._handle(arrivals[half:])
            else:
                self._set_aside(arrivals[0], failure.error if isinstance(failure, ConsumerFailed) else failure)

    def _until_no_conflict(self, arrivals: Sequence[Arrival]) -> None:
        for attempt in range(1, CONFLICTS.attempts):
            try:
                return self._together(arrivals)
            except Conflict:
                time.sleep(CONFLICTS.pause(attempt))
        return self._together(arrivals)

    def _together(self, arrivals: Sequence[Arrival]) -> None:
        """Handles messages in one transaction, which moves the lane behind the last of them."""
        mark = Mark(arrivals[-1].delivery.position, self._mark.moves + 1)
        with self._table.transaction() as connection:
            if self._table.lock(connection, self.lane).moves != self._mark.moves:
                raise MovedOn
            fresh = self._fresh(connection, [each for each in arrivals if each.wanted])
            aside = self._carry_out(connection, fresh)
            identities = [each.identity for each in fresh if each.identity is not None]
            if not self._table.settle(connection, self.lane, identities, aside, mark, now_us()):
                raise Conflict("a message was handled in another partition at the same time")
        self._mark = mark
        self._aside |= bool(aside)

    def _fresh(self, connection: Connection | None, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Those that were not handled before, each once."""
        first = {each.identity: each for each in reversed(arrivals) if each.identity is not None}
        known = self._table.handled(connection, self.lane.group, list(first)) if first else set()
        return [
            each
            for each in arrivals
            if each.identity is None or (each.identity not in known and first[each.identity] is each)
        ]

    def _carry_out(self, connection: Connection | None, fresh: Sequence[Arrival]) -> list[Arrival]:
        """Has consumers handle messages, and returns those that are set aside instead."""
        keys = {each.key for each in fresh if each.key is not None}
        waiting = self._table.keys_aside(connection, self.lane, keys) if keys else set()
        effects, aside = Effects(connection, self._reach), list[Arrival]()
        for each in fresh:
            if each.error is not None or each.key in waiting:
                aside.append(each)
                if each.key is not None:
                    waiting.add(each.key)
            elif each.readable is not None:
                self._chain.consume(each.readable, each, self.lane, 1, effects)
                self._table.check(connection)
        with at_fault():  # such as an event that cannot be published
            effects.finish()
        return aside

    def _set_aside(self, arrival: Arrival, error: BaseException) -> None:
        readable = arrival.readable
        assert readable is not None  # noqa: S101 - for the type checker; what cannot be read is never tried
        next_try_us = next_try(readable.consumer.retry, 1)
        logger.warning(
            "%s failed on %s, which is set aside: %s", readable.consumer.name, readable.event.id, told(error)
        )
        self._together([replace(arrival, error=told(error), attempts=1, next_try_us=next_try_us)])
