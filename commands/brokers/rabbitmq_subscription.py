"""Reads one partition of a channel from RabbitMQ: what its group's queue holds, until it is acknowledged."""

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from commands.brokers.broker import Delivery
from commands.brokers.content import CONTENT_TYPE, deliver

if TYPE_CHECKING:
    from commands.brokers.rabbitmq import RabbitmqBroker

PREFETCH = 1_000
PREFIXES = ("cloudevents:", "cloudevents_", "ce-")  # the first two are of AMQP 1.0, whose rules we follow
AWAY = (AMQPError, ChannelInvalidStateError, RuntimeError, OSError, asyncio.TimeoutError)

_OF_THE_SERVER = ("x-delivery-count", "x-acquired-count", "x-death", "x-first-death-", "x-last-death-")


class RabbitmqSubscription:
    """See `commands.brokers.broker.Subscription`. A position is good for as long as the connection."""

    def __init__(self, broker: "RabbitmqBroker", channel: str, partition: int, group: str) -> None:
        self._broker, self._channel, self._group = broker, channel, group
        self._queue = queue_of(channel, group, partition)
        self._reading: AbstractChannel | None = None
        self._found: deque[DeliveredMessage] = deque()
        self._bell = asyncio.Event()
        self._opened = 0
        self._tag: str | None = None

    async def open(self) -> None:
        """Begins with the oldest that the group has not confirmed.

        Raises:
            BrokerUnavailable: the broker is away.
        """
        await self.close()
        connection = await self._broker.make_group(self._channel, self._group)
        self._opened += 1
        try:
            async with asyncio.timeout(self._broker.seconds):
                reading = await connection.channel(publisher_confirms=False)
                self._reading = reading
                reading.closing.add_done_callback(lambda _: self._bell.set())
                await reading.basic_qos(prefetch_count=PREFETCH)
                self._tag = (await reading.basic_consume(self._queue, self._on_message)).consumer_tag
        except AWAY as error:
            raise self._broker.unavailable(error) from error

    async def _on_message(self, message: DeliveredMessage) -> None:
        if message.channel is self._reading:
            self._found.append(message)
            self._bell.set()

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages."""
        deadline = time.monotonic() + wait_seconds
        while not self._found:
            if self._reading is None or self._reading.is_closed:
                await self.open()
            elif self._ended(self._reading):
                self._broker.forget_group(self._channel, self._group)
                await self.open()
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self._bell.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), left)
        return [self._given(self._found.popleft()) for _ in range(min(limit, len(self._found)))]

    def _ended(self, reading: AbstractChannel) -> bool:
        """Whether the broker has ended our reading alone, as where the queue was deleted."""
        return self._tag not in reading.consumers  # type: ignore[attr-defined]  # every channel of the library has them

    def _given(self, message: DeliveredMessage) -> Delivery:
        properties = message.header.properties
        headers = {
            name: str(value)
            for name, value in (properties.headers or {}).items()
            if not name.startswith(_OF_THE_SERVER)
        }
        if properties.content_type is not None:
            headers[CONTENT_TYPE] = properties.content_type
        return deliver(
            f"{self._opened}-{message.delivery_tag}",
            headers,
            message.body,
            channel=self._channel,
            prefixes=PREFIXES,
            arrived_us=time.time_ns() // 1000,
        )

    async def confirm(self, position: str) -> None:
        """The broker forgets everything up to there. After a lost connection it delivers that again instead."""
        opened, _, tag = position.partition("-")
        if self._reading is not None and opened == str(self._opened):
            with contextlib.suppress(*AWAY):
                await self._reading.basic_ack(int(tag), multiple=True, wait=False)

    async def close(self) -> None:
        """Ends it."""
        reading, self._reading = self._reading, None
        self._found.clear()
        if reading is not None and not reading.is_closed:
            with contextlib.suppress(*AWAY):
                await asyncio.wait_for(reading.close(), self._broker.seconds)


def queue_of(channel: str, group: str, partition: int) -> str:
    """The name of the queue of a group and a partition.

    Of a group, what a name may not have is encoded, and dots too: else `a.b` of channel `c` would share a queue with `b` of `c.a`.
    """
    encoded = quote(group, safe=":@#,/ ").replace(".", "%2E").replace("~", "%7E").replace("%", "+")
    return f"{channel}.{encoded}.{partition}"
