"""NATS with JetStream as a broker. Needs the extra `nats`: the official client, nats-py.

A channel is a stream of its name with one subject for each partition: `orders.0`, `orders.1` and so on. A position is the sequence
number in the stream, and when that was made. The server knows a message that it has already by its `Nats-Msg-Id`, and keeps it
once. Messages are handed over in batches of which the server keeps all or nothing (since 2.12), and where it makes none, key by
key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import FlushTimeoutError
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from commands.brokers.address import Address, read_address
from commands.brokers.broker import partition_of
from commands.brokers.channels import channel_refused, of_each_channel
from commands.brokers.nats_batch import Outgoing, chunks, confirmations, publish_batch
from commands.brokers.nats_content import headers_and_body, size_of, stream_of
from commands.brokers.nats_subscription import NatsSubscription
from commands.brokers.unanswered import unanswered
from commands.brokers.waves import Outcome, held_back, in_waves, prepared
from commands.cloud_event import CloudEvent
from commands.errors import BrokerUnavailable, MessageRefused

PARTITIONS_OF = "eventfold_partitions"
TOO_LARGE = 10054
FULL = 10077
NAME_IN_USE = 10058
SERVERS_FAULT = 500
"""From this code on, the server says that it cannot for now, and not that it will not."""
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
        outcomes: dict[int, Outcome] = {}
        try:
            counts = await of_each_channel(events, self.partitions, outcomes)
            jetstream = await self.jetstream()
        except BrokerUnavailable as error:
            return [error] * len(events)
        limit = jetstream._nc.max_payload  # noqa: SLF001 - it has no other way to say so
        by_channel: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for place, sent in prepared(
            events, range(len(events)), lambda each: self._outgoing(each, counts[each.channel], limit), outcomes
        ):
            by_channel[events[place].channel].append(Outgoing(place, *sent))
        for messages in by_channel.values():
            await self._send_all(jetstream, messages, events, outcomes)
        return [outcomes[place] for place in range(len(events))]

    async def partitions(self, channel: str) -> int:
        """How many the stream says it has."""
        jetstream = await self.jetstream()
        if channel not in self._partitions:
            try:
                self._partitions[channel] = await self._made(jetstream, channel)
            except APIError as error:
                if error.code is not None and error.code < SERVERS_FAULT:
                    raise channel_refused(self.description, channel, error) from error
                raise self.unavailable(error) from error
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
            closing = asyncio.ensure_future(client.close())
            if not (await asyncio.wait([closing], timeout=self.seconds))[0]:
                _cut(client)
            await closing

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
        advice = "see whether the server runs with JetStream, and what its log says"
        return unanswered(self.description, error, self.seconds, advice)

    async def _connected(self) -> Client:
        client, address = Client(), self._address

        async def failed(error: Exception) -> None:
            """Of what the client would log, since it is raised anyway."""
            if isinstance(error, FlushTimeoutError):  # which it would go on after
                _cut(client)

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
                flush_timeout=self.seconds,
                error_cb=failed,
                closed_cb=self._closed,
            )
        except (*AWAY, ValueError) as error:  # a port that is no number is a ValueError
            if client.is_connected or client.is_closed:
                await client.close()
            _cut(client)  # which it leaves open where the server has not said a word
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
                allow_atomic=True,
            )
            try:
                info = await jetstream.add_stream(config)
            except APIError as error:
                if error.err_code != NAME_IN_USE:
                    raise
                info = await jetstream.stream_info(name)
        return int((info.config.metadata or {}).get(PARTITIONS_OF, self._address.partitions))

    def _outgoing(self, event: CloudEvent, partitions: int, limit: int) -> tuple[str, dict[str, str], bytes]:
        headers, body = headers_and_body(event, structured=self._address.structured)
        if (size := size_of(headers, body)) > limit:
            raise MessageRefused(
                f"message {event.id}: {size:,} bytes with its headers are more than the {limit:,} that {self.description} "
                "takes (max_payload); make it smaller, or the server's limit larger"
            )
        return f"{event.channel}.{partition_of(event.key, partitions)}", headers, body

    async def _send_all(
        self,
        jetstream: JetStreamContext,
        messages: Sequence[Outgoing],
        events: Sequence[CloudEvent],
        outcomes: dict[int, Outcome],
    ) -> None:
        """Hands over messages of one channel, chunk after chunk; behind one that fails, nothing of its key."""
        failed: dict[str, Exception] = {}
        for chunk in chunks(messages):
            behind = [each for each in chunk if events[each.place].key in failed]
            outcomes.update((each.place, held_back(failed[events[each.place].key])) for each in behind)
            ready = [each for each in chunk if events[each.place].key not in failed]
            for each, outcome in zip(ready, await self._send(jetstream, ready, events), strict=True):
                outcomes[each.place] = outcome
                if outcome is not None:
                    failed.setdefault(events[each.place].key, outcome)

    async def _send(
        self, jetstream: JetStreamContext, chunk: Sequence[Outgoing], events: Sequence[CloudEvent]
    ) -> list[Outcome]:
        """Hands over messages of one channel: as one batch where the server makes one of them, else one by one."""
        if len(chunk) > 1:
            try:
                await publish_batch(jetstream._nc, chunk, self.seconds)  # noqa: SLF001 - it has no batches yet
            except APIError:
                pass  # nothing of it is kept: one of them is there already, say
            except AWAY as error:
                await self.close()
                return [self.unavailable(error)] * len(chunk)
            else:
                return [None] * len(chunk)
        own = [events[each.place] for each in chunk]
        return await in_waves(
            own, lambda places: self._one_by_one(jetstream, own[0].channel, [chunk[each] for each in places])
        )

    async def _one_by_one(
        self, jetstream: JetStreamContext, channel: str, messages: Sequence[Outgoing]
    ) -> list[Outcome]:
        try:
            errors = await confirmations(jetstream._nc, messages, self.seconds, self._answers)  # noqa: SLF001 - as in the batch
        except AWAY as error:
            return [self.unavailable(error)] * len(messages)
        if any(isinstance(each, TimeoutError) for each in errors):
            await self.close()
        return [self._outcome(channel, each) for each in errors]

    def _outcome(self, channel: str, error: BaseException | None) -> Outcome:
        if error is None:
            return None
        if isinstance(error, APIError) and error.err_code == TOO_LARGE:
            return MessageRefused(
                f"{self.description}: {error.description}; make the message smaller, or the stream's limit larger"
            )
        if isinstance(error, APIError) and error.err_code == FULL:
            return BrokerUnavailable(
                f"{self.description}: channel {channel}: expected room in its stream, got {error.description}; raise its "
                "limit, or wait until it forgets something",
                channel,
            )
        self._partitions.clear()  # the stream may be gone
        return self.unavailable(error)


def _cut(client: Client) -> None:
    """Ends the connection to a server that takes nothing more; whoever waits to write to it fails."""
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - its `close` waits until all is written
    if writer is not None:
        writer.transport.abort()
