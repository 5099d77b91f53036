"""Handles what arrives in one lane: each message once in effect, those of a key in order.

A batch is handled in one transaction, which also moves the lane. Where a consumer fails, nothing of the batch is stored, and its
halves are handled on their own, until the message is found that is at fault. It is set aside, and so is all that follows it under
its key, in a transaction that moves the lane, too; so it never holds up other keys.

Where keys are handled at the same time, parts of the batch go ahead, each in a transaction of its own that does not move the lane.
After them the batch is handled as ever: what they have done is known, so that little but the move is left.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.brokers.broker import Delivery
from commands.clock import now_us
from commands.inbox.arrival import Arrival, read_arrival, told
from commands.inbox.chain import Chain, ConsumerFailed, at_fault
from commands.inbox.conflicts import until_no_conflict
from commands.inbox.effects import Effects, Reach
from commands.inbox.group import Group
from commands.inbox.next_try import next_try
from commands.inbox.parts import Parts
from commands.inbox.table import InboxTable, Lane, Mark
from eventstore import Conflict

logger = logging.getLogger(__name__)

Together: TypeAlias = Callable[[Sequence[Arrival]], bool]
"""Handles messages in one transaction; whether it has set something aside."""


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
        parts: splits batches by key, so that keys are handled at the same time; None has them handled in turn.
    """

    def __init__(
        self, table: InboxTable, group: Group, partition: int, reach: Reach, chain: Chain, parts: Parts | None = None
    ) -> None:
        self.lane = Lane(group.reading.group, group.reading.channel, partition)
        self._table, self._group, self._reach, self._chain, self._parts = table, group, reach, chain, parts
        self._mark = Mark()

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
        if not deliveries:
            return False
        arrivals = [read_arrival(self._group, self.lane.partition, each) for each in deliveries]
        aside = self._ahead(arrivals)
        return self._handle(arrivals, self._whole) or aside

    def _ahead(self, arrivals: Sequence[Arrival]) -> bool:
        """Handles the keys of a batch at the same time, without moving the lane.

        The number of moves is raised first, so that whoever reads the lane as well stores nothing any more; who does so later
        waits for the parts that are under way, and none of the others stores anything then.
        """
        parts = [] if self._parts is None else self._parts.split(arrivals)
        if self._parts is None or len(parts) < 2:  # noqa: PLR2004 - one part is not worth a transaction of its own
            return False
        if not self._table.claim(self.lane, self._mark.moves):
            raise MovedOn
        self._mark = replace(self._mark, moves=self._mark.moves + 1)
        return self._parts.at_once(lambda part: self._handle(part, self._part), parts)

    def _handle(self, arrivals: Sequence[Arrival], together: Together) -> bool:
        try:
            return until_no_conflict(lambda: together(arrivals))
        except (ConsumerFailed, Conflict) as failure:
            half = len(arrivals) // 2
            if half:
                aside = self._handle(arrivals[:half], together)
                return self._handle(arrivals[half:], together) or aside
            error = failure.error if isinstance(failure, ConsumerFailed) else failure
        failed = _failed(arrivals[0], error)
        return until_no_conflict(lambda: together([failed]))

    def _whole(self, arrivals: Sequence[Arrival]) -> bool:
        """In a transaction that also moves the lane behind the last of them."""
        mark = Mark(arrivals[-1].delivery.position, self._mark.moves + 1)
        with self._table.transaction() as connection:
            self._expect(self._table.lock(connection, self.lane))
            aside = self._within(connection, arrivals)
            self._table.move(connection, self.lane, mark, now_us())
        self._mark = mark
        return aside

    def _part(self, arrivals: Sequence[Arrival]) -> bool:
        """In a transaction beside others that keeps everybody else from moving the lane."""
        with self._table.transaction() as connection:
            self._expect(self._table.share(connection, self.lane))
            return self._within(connection, arrivals)

    def _expect(self, found: Mark) -> None:
        if found.moves != self._mark.moves:
            raise MovedOn

    def _within(self, connection: Connection | None, arrivals: Sequence[Arrival]) -> bool:
        fresh = self._fresh(connection, [each for each in arrivals if each.wanted])
        aside = self._carry_out(connection, fresh)
        identities = sorted([each.identity for each in fresh if each.identity is not None])
        if not self._table.settle(connection, self.lane, identities, aside, now_us()):
            raise Conflict("a message was handled elsewhere at the same time")
        return bool(aside)

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


def _failed(arrival: Arrival, error: BaseException) -> Arrival:
    """What is to be set aside of a message that a consumer has failed on."""
    readable = arrival.readable
    assert readable is not None  # noqa: S101 - for the type checker; what cannot be read is never tried
    logger.warning("%s failed on %s, which is set aside: %s", readable.consumer.name, readable.event.id, told(error))
    return replace(arrival, error=told(error), attempts=1, next_try_us=next_try(readable.consumer.retry, 1))
