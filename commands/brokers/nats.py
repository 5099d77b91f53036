"""NATS with JetStream as a broker. Needs the extra `nats`: the official client, nats-py.

A channel is a stream of its name with one subject for each partition: `orders.0`, `orders.1` and so on. A position is the sequence
number in the stream. The server knows a message that it has already by its `Nats-Msg-Id`, and keeps it once.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from commands.brokers.address import Address, read_address
from commands.brokers.broker import partition_of
from commands.brokers.nats_content import headers_and_body, size_of
from commands.brokers.nats_subscription import NatsSubscription
from commands.brokers.waves import Outcome, in_waves
from commands.cloud_event import CloudEvent
from commands.errors import BrokerUnavailable, MessageRefused

PARTITIONS_OF = "eventfold_partitions"
TOO_LARGE = 10054
NAME_IN_USE = 10058
AWAY = (NatsError, OSError, asyncio.TimeoutError)


def open_nats(url: str) -> "NatsBroker":
    """The broker at `nats://[user:password@]host[:port][,host...]`, or the same with `tls://`."""
    return NatsBroker(read_address(url))


class NatsBroker:
    """See `commands.brokers.broker.Broker`."""

    def __init__(self, address: Address) -> None:
        self.description = f"NATS {address.shown}"
        self.seconds = address.seconds
        self._address = address
        self._connecting = asyncio.Lock()
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        self._partitions: dict[str, int] = {}
        self._answers: set[asyncio.Future[Any]] = set()
        self.subscriptions: set[NatsSubscription] = set()

    async def publish(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """Hands messages over."""
        return await in_waves(events, self._hand_over)

    async def partitions(self, channel: str) -> int:
        """How many the stream says it has."""
        jetstream = await self.jetstream()
        if channel not in self._partitions:
            try:
                self._partitions[channel] = await self._made(jetstream, channel)
            except AWAY as error:
                raise self.unavailable(error) from error
        return self._partitions[channel]

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> NatsSubscription:
        """Reads a partition of a channel. The server keeps nothing of the group."""
        await self.partitions(channel)
        subscription = NatsSubscription(self, channel, partition, after)
        await subscription.open()
        self.subscriptions.add(subscription)
        return subscription

    async def close(self) -> None:
        """Lets go of the connection."""
        client, self._client, self._jetstream = self._client, None, None
        if client is not None:
            await client.close()

    async def jetstream(self) -> JetStreamContext:
        """The connection, made anew where there is none.

        Raises:
            BrokerUnavailable: there is none to be had.
        """
        async with self._connecting:
            if self._jetstream is None or self._client is None or not self._client.is_connected:
                self._client, self._partitions = await self._connected(), {}
                self._jetstream = self._client.jetstream(timeout=self.seconds)
            return self._jetstream

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        """What is said where an answer did not come."""
        what = str(error) or type(error).__name__
        return BrokerUnavailable(
            f"{self.description}: expected an answer of NATS with JetStream within {self.seconds:g} s, got {what}; "
            "see whether the server runs and what its log says"
        )

    async def _connected(self) -> Client:
        client, address = Client(), self._address
        try:
            await client.connect(
                [f"{address.scheme}://{host}" for host in address.hosts],
                user=address.user,
                password=address.password,
                name="eventfold",
                connect_timeout=int(self.seconds),
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                allow_reconnect=False,  # what was sent and lost would be followed by what comes after it
                error_cb=_nothing,
                closed_cb=self._closed,
            )
        except AWAY as error:
            await client.close()
            raise self.unavailable(error) from error
        return client

    async def _closed(self) -> None:
        """The connection is gone, and no answer comes any more."""
        for each in self._answers:
            if not each.done():
                each.set_exception(nats.errors.ConnectionClosedError())
        for subscription in self.subscriptions:
            subscription.bell.set()

    async def _made(self, jetstream: JetStreamContext, channel: str) -> int:
        """The partitions of a channel's stream, which is made where there is none."""
        name = stream_of(channel)
        try:
            info = await jetstream.stream_info(name)
        except NotFoundError:
            wanted = self._address.partitions
            config = StreamConfig(
                name=name,
                subjects=[f"{channel}.{number}" for number in range(wanted)],
                num_replicas=self._address.replicas,
                metadata={PARTITIONS_OF: str(wanted)},
            )
            try:
                info = await jetstream.add_stream(config)
            except APIError as error:
                if error.err_code != NAME_IN_USE:
                    raise
                info = await jetstream.stream_info(name)
        return int((info.config.metadata or {}).get(PARTITIONS_OF, self._address.partitions))

    async def _hand_over(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        try:
            counts = {channel: await self.partitions(channel) for channel in {each.channel for each in events}}
            jetstream = await self.jetstream()
        except BrokerUnavailable as error:
            return [error] * len(events)
        sent = [await self._send(jetstream, each, counts[each.channel]) for each in events]
        answers = {each for each in sent if isinstance(each, asyncio.Future)}
        self._answers |= answers
        try:
            late = (await asyncio.wait(answers, timeout=self.seconds))[1] if answers else set()
        finally:
            self._answers -= answers
        if late:
            await self.close()
        return [each if isinstance(each, Exception) else self._outcome(each) for each in sent]

    async def _send(
        self, jetstream: JetStreamContext, event: CloudEvent, partitions: int
    ) -> "asyncio.Future[Any] | Exception":
        """The answer to come, or why the message is not sent."""
        try:
            headers, body = headers_and_body(event, structured=self._address.structured)
            limit, size = jetstream._nc.max_payload, size_of(headers, body)  # noqa: SLF001 - it has no other way to say so
            if size > limit:
                return MessageRefused(
                    f"message {event.id}: {size:,} bytes with its headers are more than the {limit:,} that {self.description} "
                    "takes (max_payload); make it smaller, or the server's limit larger"
                )
            subject = f"{event.channel}.{partition_of(event.key, partitions)}"
            return await jetstream.publish_async(subject, body, headers=headers)
        except MessageRefused as error:
            return error
        except nats.errors.BadHeaderError as error:
            return MessageRefused(f"message {event.id}: headers: NATS has no such name: {error}; choose another one")
        except AWAY as error:
            return self.unavailable(error)

    def _outcome(self, answer: "asyncio.Future[Any]") -> Outcome:
        if not answer.done():
            answer.cancel()
            return self.unavailable(TimeoutError("no confirmation"))
        error = answer.exception()
        if isinstance(error, APIError) and error.err_code == TOO_LARGE:
            return MessageRefused(
                f"{self.description}: {error.description}; make the message smaller, or the stream's limit larger"
            )
        if error is not None:
            self._partitions.clear()  # the stream may be gone
            return self.unavailable(error)
        return None


def stream_of(channel: str) -> str:
    """The name of a channel's stream, which may have no dots."""
    return channel.replace(".", "%2E")


async def _nothing(error: Exception) -> None:
    """The client would log what is raised anyway."""
