"""RabbitMQ as a broker. Needs the extra `rabbitmq`: aiormq, the client that aio-pika stands on.

A channel is a direct exchange of its name, with the number of a partition as routing key. Each group has a quorum queue for each
partition: `orders.shipping.0` and so on. There are no positions: the broker keeps what a group has not confirmed. It refuses what
nobody has subscribed to, since it has no queue to keep it in.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Sequence
from typing import Any

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)
from pamqp.commands import Basic
from yarl import URL

from commands.brokers.address import Address, read_address
from commands.brokers.broker import partition_of
from commands.brokers.channels import channel_refused, of_each_channel
from commands.brokers.content import CONTENT_TYPE, write
from commands.brokers.rabbitmq_subscription import RabbitmqSubscription, queue_of
from commands.brokers.unanswered import unanswered
from commands.brokers.waves import Outcome, in_waves
from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable, MessageRefused

PREFIX = "cloudEvents:"
PERSISTENT = 2
UNLIMITED_SINCE = 4  # the first major version that drops what was delivered often, unless told otherwise
AWAY = (AMQPError, ChannelInvalidStateError, RuntimeError, OSError, asyncio.TimeoutError)

_LARGER = re.compile(r"larger than configured max size (\d+)")
_OTHER_NUMBER = re.compile(r"current is (?:the value )?'(\d+)'")


def open_rabbitmq(url: str) -> "RabbitmqBroker":
    """The broker at `amqp://user:password@host[:port][,host...][/virtual host]`, or the same with `amqps://`."""
    return RabbitmqBroker(read_address(url))


class RabbitmqBroker:
    """See `commands.brokers.broker.Broker`."""

    def __init__(self, address: Address) -> None:
        self.description = f"RabbitMQ {address.shown}"
        self.seconds = address.seconds
        self._address = address
        self._connecting = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._publishing: AbstractChannel | None = None
        self._partitions: dict[str, int] = {}
        self._groups: set[tuple[str, str]] = set()
        self._limit: int | None = None

    async def publish(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """Hands messages over."""
        return await in_waves(events, lambda places: self._hand_over([events[each] for each in places]))

    async def partitions(self, channel: str) -> int:
        """As many as were said when the channel was made."""
        connection = await self.connection()
        if channel not in self._partitions:
            try:
                async with asyncio.timeout(self.seconds):
                    self._partitions[channel] = await self._made(connection, channel)
            except (ChannelAccessRefused, ChannelPreconditionFailed) as error:
                raise channel_refused(self.description, channel, error) from error
            except AWAY as error:
                raise self.unavailable(error) from error
        return self._partitions[channel]

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> RabbitmqSubscription:
        """Reads a partition of a channel; of several who read one for the same group, the first."""
        subscription = RabbitmqSubscription(self, channel, partition, group)
        await subscription.open()
        return subscription

    async def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection, self._publishing = self._connection, None, None
        if connection is not None:
            closing = asyncio.ensure_future(_closed(connection))
            await asyncio.wait([closing], timeout=self.seconds)  # it takes no cancellation before all is written

    async def connection(self) -> AbstractConnection:
        """The connection, made anew where there is none.

        Raises:
            BrokerUnavailable: there is none to be had.
        """
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                self._connection, self._publishing, self._partitions = await self._connected(), None, {}
                self._groups = set()
            return self._connection

    async def make_group(self, channel: str, group: str) -> AbstractConnection:
        """Makes the queues of a group, so that all that is published from now on is kept for it.

        Raises:
            BrokerUnavailable: they cannot be made.
        """
        count = await self.partitions(channel)
        connection = await self.connection()
        if (channel, group) in self._groups:
            return connection
        try:
            async with asyncio.timeout(self.seconds):
                made = await connection.channel(publisher_confirms=False)
                for number in range(count):
                    queue = queue_of(channel, group, number)
                    await made.queue_declare(queue, durable=True, arguments=self._of_a_queue(connection))
                    await made.queue_bind(queue, channel, str(number))
                await made.close()
        except AWAY as error:
            raise self.unavailable(error) from error
        self._groups.add((channel, group))
        return connection

    def forget_group(self, channel: str, group: str) -> None:
        """Has the queues of a group made anew where they are gone, when it reads next."""
        self._groups.discard((channel, group))

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        """What is said where an answer did not come."""
        advice = "see whether the server runs, has disk and memory left, and lets this user in"
        return unanswered(self.description, error, self.seconds, advice)

    def _of_a_queue(self, connection: AbstractConnection) -> dict[str, Any]:
        found: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        if self._address.replicas > 1:
            found["x-quorum-initial-group-size"] = self._address.replicas
        version = str(getattr(connection, "server_properties", {}).get("version", "0"))
        if int(version.partition(".")[0]) >= UNLIMITED_SINCE:
            found["x-delivery-limit"] = -1
        return found

    async def _connected(self) -> AbstractConnection:
        address = self._address
        last: BaseException = OSError("no host in the URL")
        for each in address.hosts:
            host, _, port = each.partition(":")
            url = URL.build(
                scheme=address.scheme,
                user=address.user or "guest",
                password=address.password or "guest",
                host=host,
                port=int(port) if port else None,
                path=f"/{address.path}",
            )
            context = ssl.create_default_context() if address.scheme == "amqps" else None
            try:
                return await asyncio.wait_for(aiormq.connect(url, context=context), self.seconds)
            except AWAY as error:
                last = error
        raise self.unavailable(last) from last

    async def _made(self, connection: AbstractConnection, channel: str) -> int:
        """The partitions of a channel, whose exchange is made where there is none.

        A queue that is never used says how many there are by its length, since an exchange keeps no such thing.
        """
        count = self._address.partitions
        made = await connection.channel(publisher_confirms=False)
        await made.exchange_declare(channel, exchange_type="direct", durable=True)
        try:
            await made.queue_declare(f"{channel}.partitions", durable=True, arguments={"x-max-length": count})
        except ChannelPreconditionFailed as error:
            if (other := _OTHER_NUMBER.search(str(error))) is None:
                raise
            return int(other[1])
        await made.close()
        return count

    async def _hand_over(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        refused: dict[int, Outcome] = {}
        try:
            counts = await of_each_channel(events, self.partitions, refused)
            sent = [each for place, each in enumerate(events) if place not in refused]
            outcomes = await self._published(sent, counts)
            if any(map(self._learns, outcomes)):  # which has closed our channel, with all that was on its way
                outcomes = await self._published(sent, counts)
        except BrokerUnavailable as error:
            return [error] * len(events)
        found = iter([self._outcome(each, outcome) for each, outcome in zip(sent, outcomes, strict=True)])
        return [refused[place] if place in refused else next(found) for place in range(len(events))]

    async def _published(self, events: Sequence[CloudEvent], counts: dict[str, int]) -> list[BaseException | None]:
        if not events:
            return []
        channel = await self._channel()
        sent = [asyncio.create_task(self._publish(channel, each, counts[each.channel])) for each in events]
        _, late = await asyncio.wait(sent, timeout=self.seconds)
        if late:
            for each in late:
                each.cancel()
            await asyncio.wait(late)
            await self.close()
        return [TimeoutError("no confirmation") if each.cancelled() else each.exception() for each in sent]

    async def _channel(self) -> AbstractChannel:
        connection = await self.connection()
        async with self._connecting:
            if self._publishing is None or self._publishing.is_closed:
                try:
                    self._publishing = await asyncio.wait_for(connection.channel(publisher_confirms=True), self.seconds)
                except AWAY as error:
                    raise self.unavailable(error) from error
            return self._publishing

    async def _publish(self, channel: AbstractChannel, event: CloudEvent, partitions: int) -> None:
        written, body = write(event, structured=self._address.structured, prefix=PREFIX)
        headers: dict[str, Any] = {**written}
        if self._limit is not None and len(body) > self._limit:
            raise MessageRefused(
                f"message {event.id}: {len(body):,} bytes are more than the {self._limit:,} that {self.description} takes "
                "(max_message_size); make it smaller, or the server's limit larger"
            )
        properties = Basic.Properties(content_type=headers.pop(CONTENT_TYPE), headers=headers, delivery_mode=PERSISTENT)
        await channel.basic_publish(
            body,
            exchange=event.channel,
            routing_key=str(partition_of(event.key, partitions)),
            properties=properties,
            mandatory=True,
        )

    def _learns(self, error: BaseException | None) -> bool:
        """Whether the broker has told us its limit by this error."""
        found = _LARGER.search(str(error)) if isinstance(error, ChannelPreconditionFailed) else None
        if found is not None:
            self._limit = int(found[1])
        return found is not None

    def _outcome(self, event: CloudEvent, error: BaseException | None) -> Outcome:
        if error is None or isinstance(error, BrokerError):
            return error
        if isinstance(error, PublishError):
            return BrokerError(
                f"message {event.id}: nobody has subscribed to channel {event.channel} yet, and RabbitMQ keeps nothing for nobody; "
                "start its consumers once"
            )
        if isinstance(error, DeliveryError):
            return BrokerUnavailable(
                f"{self.description}: channel {event.channel}: expected every queue to take it, got a refusal; see whether "
                "one of them is full",
                event.channel,
            )
        self._partitions.pop(event.channel, None)  # its exchange may be gone
        return self.unavailable(error)


async def _closed(connection: AbstractConnection) -> None:
    with contextlib.suppress(*AWAY):
        await connection.close()
