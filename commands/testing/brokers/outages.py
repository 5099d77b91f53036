"""A broker that is killed and comes back has kept what it confirmed, and lets both sides go on."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import pytest

from commands.brokers.broker import Broker, Subscription
from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable
from commands.testing.brokers.base import BrokerCases, Connect, awaited, introduce, message, numbers_of, using

KEYS = 6
BATCH = 60
BEFORE, AFTER = 4, 4


class Outage(Protocol):
    """Lets the broker fail."""

    def kill(self) -> None:
        """Ends the server at once."""

    def start(self) -> None:
        """Starts it again with what it has kept, and waits until it answers."""


class Outages(BrokerCases):
    """Cases about a broker that is away for a while."""

    needs = "can_fail"

    @pytest.fixture
    def outage(self) -> Outage:
        """What kills the broker and starts it again."""
        raise NotImplementedError(f"{type(self).__name__}: define the fixture outage; see BrokerContract")

    @awaited
    async def test_nothing_is_lost_and_every_key_keeps_its_order_when_the_broker_is_killed_in_the_middle_of_a_batch(
        self, connect: Connect, channel: str, outage: Outage
    ) -> None:
        total = (BEFORE + AFTER + 1) * BATCH
        sent = [message(channel, number, key=f"k-{number % KEYS}") for number in range(total)]
        async with (
            using(connect, "partitions=2&timeout=5") as broker,
            using(connect, "partitions=2&timeout=5") as other,
        ):
            await introduce(broker, channel)
            readers = [await other.subscribe(channel, each, "readers", None) for each in range(2)]
            reading = asyncio.gather(*(_follow(each, sent) for each in readers))
            await _keep_publishing(broker, sent[: BEFORE * BATCH])
            middle = asyncio.create_task(broker.publish(sent[BEFORE * BATCH : (BEFORE + 1) * BATCH]))
            await asyncio.sleep(0)
            await asyncio.to_thread(outage.kill)
            try:
                left = _not_kept(sent[BEFORE * BATCH : (BEFORE + 1) * BATCH], await middle)
                away = await broker.publish(sent[:3])
                with pytest.raises(BrokerUnavailable):
                    await connect("timeout=1").partitions(channel)
            finally:
                await asyncio.to_thread(outage.start)
            await _keep_publishing(broker, [*left, *sent[(BEFORE + 1) * BATCH :]])

            found = [each for part in await asyncio.wait_for(reading, 60) for each in part]

        assert [type(each) for each in away] == [BrokerUnavailable] * 3
        by_key: defaultdict[int, list[int]] = defaultdict(list)
        for number in found:
            if number not in by_key[number % KEYS]:
                by_key[number % KEYS].append(number)
        assert by_key == {key: list(range(key, total, KEYS)) for key in range(KEYS)}


async def _keep_publishing(broker: Broker, events: Sequence[CloudEvent]) -> None:
    """Hands everything over, and what is not kept again, as a relay does."""
    left = list(events)
    while left:
        batch, rest = left[:BATCH], left[BATCH:]
        left = _not_kept(batch, await broker.publish(batch)) + rest


def _not_kept(events: Sequence[CloudEvent], outcomes: Sequence[Exception | None]) -> list[CloudEvent]:
    assert [each for each in outcomes if not isinstance(each, BrokerError | None)] == []
    return [each for each, outcome in zip(events, outcomes, strict=True) if outcome is not None]


async def _follow(reader: Subscription, sent: Sequence[CloudEvent]) -> list[int]:
    """What a reader finds, until it has found the last message of every key that it has found one of."""
    found: list[int] = []
    last = {number % KEYS: number for number in range(len(sent))}
    while not found or not all(last[number % KEYS] in found for number in found):
        try:
            deliveries = await reader.receive(50, 1.0)
        except BrokerUnavailable:
            await asyncio.sleep(0.05)
            continue
        found += numbers_of(deliveries)
        if deliveries:
            await reader.confirm(deliveries[-1].position)
    return found
