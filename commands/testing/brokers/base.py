"""What all cases of the contract stand on: the fixtures, and what is asked of a broker again and again."""

import asyncio
import functools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

import pytest

from commands.brokers.broker import Broker, Delivery, Subscription, partition_of
from commands.cloud_event import CloudEvent
from eventstore.testing.cases import Cases

Connect: TypeAlias = Callable[..., Broker]

CASE_SECONDS = 120.0
READ_SECONDS = 30.0
GROUP = "readers"
NOON_US = 1_700_000_000_123_456


def awaited(case: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a case that awaits, in an event loop of its own."""

    @functools.wraps(case)
    def run(*arguments: Any, **keywords: Any) -> None:
        asyncio.run(asyncio.wait_for(_wait_for(case, arguments, keywords), CASE_SECONDS))

    return run


async def _wait_for(case: Callable[..., Awaitable[None]], arguments: Any, keywords: Any) -> None:
    await case(*arguments, **keywords)


class BrokerCases(Cases):
    """The base of every group of cases."""

    too_large: ClassVar[int] = 2_000_000
    knows_ids: ClassVar[bool] = True
    takes_anything: ClassVar[bool] = True
    can_fail: ClassVar[bool] = True

    @pytest.fixture
    def connect(self) -> Connect:
        """The one fixture that every subclass defines."""
        raise NotImplementedError(f"{type(self).__name__}: define the fixture connect; see BrokerContract")

    @pytest.fixture
    def channel(self) -> str:
        """The name of a channel that nobody has used."""
        return f"things-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def using(connect: Connect, options: str = "partitions=2") -> AsyncIterator[Broker]:
    """A connection while the block runs."""
    broker = connect(options)
    try:
        yield broker
    finally:
        await broker.close()


def message(channel: str, number: int, key: str = "k", data: bytes | None = None) -> CloudEvent:
    """The nth message of a channel."""
    return CloudEvent(
        id=f"{channel}-{number}",
        source="/contract",
        type="Thing",
        data=f'{{"number":{number}}}'.encode() if data is None else data,
        channel=channel,
        key=key,
        time_us=NOON_US + number,
    )


def numbers_of(deliveries: Sequence[Delivery]) -> list[int]:
    """The numbers of messages as `message` makes them."""
    return [int(each.event.id.rpartition("-")[2]) for each in deliveries if each.event is not None]


async def introduce(broker: Broker, channel: str, group: str = GROUP) -> int:
    """Makes a group known, so that what is published is kept for it; how many partitions there are."""
    subscription = await broker.subscribe(channel, 0, group, None)
    await subscription.close()
    return await broker.partitions(channel)


async def subscribed(
    broker: Broker, channel: str, key: str = "k", group: str = GROUP, after: str | None = None
) -> Subscription:
    """A reader of the partition of a key."""
    return await broker.subscribe(channel, partition_of(key, await broker.partitions(channel)), group, after)


async def read(subscription: Subscription, count: int, *, limit: int = 100) -> list[Delivery]:
    """So many messages; fewer where they do not come in time."""
    found: list[Delivery] = []
    deadline = time.monotonic() + READ_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        found += await subscription.receive(min(limit, count - len(found)), 1.0)
    return found


async def read_all(broker: Broker, channel: str, count: int, group: str = GROUP) -> list[Delivery]:
    """So many messages of all partitions together; those of each in its order."""
    found: list[Delivery] = []
    deadline = time.monotonic() + READ_SECONDS
    partitions = await broker.partitions(channel)
    readers = [await broker.subscribe(channel, each, group, None) for each in range(partitions)]
    try:
        while len(found) < count and time.monotonic() < deadline:
            for each in readers:
                found += await each.receive(100, 0.05)
    finally:
        for each in readers:
            await each.close()
    return found
