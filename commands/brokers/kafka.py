"""Kafka as a broker. Needs the extra `kafka`: aiokafka.

A channel is a topic. A position is an offset, and the id of the topic. The messages of a partition are handed over as record
batches, each of which the broker keeps whole or not at all, and one of which is confirmed by all replicas before the next one is
sent.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from commands.brokers.address import Address, one_of, read_address
from commands.brokers.broker import partition_of
from commands.brokers.channels import channel_refused, of_each_channel
from commands.brokers.content import write
from commands.brokers.kafka_client import AWAY, end_client
from commands.brokers.kafka_subscription import KafkaSubscription
from commands.brokers.unanswered import given_up_is_away, unanswered
from commands.brokers.waves import Outcome, held_back, prepared
from commands.clock import now_us
from commands.cloud_event import CloudEvent
from commands.errors import BrokerUnavailable, MessageRefused

PORT = 9092
MOST_BYTES_AT_ONCE = 1 << 19  # of a record batch; a larger message is one by itself
RETRY_MS = 200  # while the broker is away; each try is a line in the log
UNKNOWN_LIMIT = 1 << 30
OVERHEAD = 100  # of a record and its batch beside what is in it, and some more; bytes
LIMIT = "max.message.bytes"
BY_ITS_OWN_CLOCK = {"message.timestamp.type": "LogAppendTime"}  # it refuses what a clock that is far ahead has stamped
REFUSED = (InvalidTopicError, PolicyViolationError, TopicAuthorizationFailedError)


class Topic(NamedTuple):
    """What is known of a channel's topic."""

    partitions: int
    limit: int


class Destination(NamedTuple):
    """A partition of a topic, and the largest record batch that it takes, in bytes."""

    channel: str
    partition: int
    limit: int


class Record(NamedTuple):
    """A message as Kafka keeps it.

    Its time is when it is handed over, and not when it happened: by that Kafka forgets messages, and refuses what is too far off,
    unless the topic goes by the broker's clock, as those do that are made here.
    """

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    time_ms: int


def open_kafka(url: str) -> "KafkaBroker":
    """The broker at `kafka://[user:password@]host[:port][,host...]`.

    Its options: `tls=yes`; `sasl`, how a user proves who he is (by default SCRAM-SHA-512).
    """
    options = {"tls": one_of("yes", "no"), "sasl": one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")}
    return KafkaBroker(read_address(url, options))


class KafkaBroker:
    """See `commands.brokers.broker.Broker`."""

    def __init__(self, address: Address) -> None:
        self.description = f"Kafka {address.shown}"
        self.seconds = address.seconds
        self._address = address
        self._connecting = asyncio.Lock()
        self._producer: Any = None  # an AIOKafkaProducer, whose types are not known
        self._topics: dict[str, Topic] = {}
        self.subscriptions: set[KafkaSubscription] = set()

    async def publish(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """Hands messages over."""
        outcomes: dict[int, Outcome] = {}
        if not events:
            return []
        try:
            topics = await of_each_channel(events, self._topic, outcomes)
            producer = await self._connected()
        except BrokerUnavailable as error:
            return [error] * len(events)
        by_partition: defaultdict[Destination, list[int]] = defaultdict(list)
        for place, each in enumerate(events):
            if place not in outcomes:
                topic = topics[each.channel]
                by_partition[Destination(each.channel, partition_of(each.key, topic.partitions), topic.limit)].append(
                    place
                )
        await asyncio.gather(
            *(self._send(producer, to, places, events, outcomes) for to, places in by_partition.items())
        )
        return [outcomes[place] for place in range(len(events))]

    async def partitions(self, channel: str) -> int:
        """The topic's, to which somebody may have added some."""
        return (await self._topic(channel, anew=True)).partitions

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> KafkaSubscription:
        """Reads a partition of a channel. What is confirmed is told to the broker, for tools that show how far a group is."""
        await self._topic(channel)
        subscription = KafkaSubscription(self, channel, partition, group, after)
        self.subscriptions.add(subscription)
        try:
            await subscription.open()
        except BaseException:
            await subscription.close()
            raise
        return subscription

    async def close(self) -> None:
        """Lets go of the connections, those of its subscriptions too."""
        for each in list(self.subscriptions):
            await each.close()
        if self._producer is not None:
            await self._give_up(self._producer)

    async def _give_up(self, producer: AIOKafkaProducer) -> None:
        """Lets go of a producer. After a failure its numbering of batches has a gap, and the broker would take no more of it."""
        if self._producer is producer:
            self._producer = None
        sending = producer._sender.sender_task  # noqa: SLF001 - else `stop` waits for ever for what cannot be sent
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending], timeout=self.seconds)  # not for its outcome: it is cancelled, and not we
        await end_client(producer, producer.client, self.seconds)

    @property
    def connection(self) -> dict[str, Any]:
        """What every client of the library is told."""
        address = self._address
        told: dict[str, Any] = {
            "bootstrap_servers": [host if ":" in host else f"{host}:{PORT}" for host in address.hosts],
            "client_id": "eventfold",
            "request_timeout_ms": int(self.seconds * 1000),
            "retry_backoff_ms": RETRY_MS,
        }
        secure = address.options.get("tls") == "yes"
        if secure:
            told["ssl_context"] = ssl.create_default_context()
        if address.user is not None:
            told["sasl_mechanism"] = address.options.get("sasl", "SCRAM-SHA-512")
            told["sasl_plain_username"], told["sasl_plain_password"] = address.user, address.password or ""
        told["security_protocol"] = f"{'SASL_' if address.user is not None else ''}{'SSL' if secure else 'PLAINTEXT'}"
        return told

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        """What is said where an answer did not come."""
        advice = "see whether the servers run, and let this user in"
        return unanswered(self.description, error, self.seconds, advice)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self.connection, acks="all", enable_idempotence=True, max_batch_size=MOST_BYTES_AT_ONCE
                )
                try:
                    await producer.start()
                except BaseException as error:
                    await end_client(producer, producer.client, self.seconds)
                    if isinstance(error, AWAY):
                        raise self.unavailable(error) from error
                    raise
                self._producer = producer
            return self._producer

    async def _topic(self, channel: str, *, anew: bool = False) -> Topic:
        if anew or channel not in self._topics:
            admin = AIOKafkaAdminClient(**self.connection)
            try:
                async with asyncio.timeout(2 * self.seconds):  # the client's own time is over first, and it closes all
                    await admin.start()
                    self._topics[channel] = await self._made(admin, channel)
            except REFUSED as error:
                raise channel_refused(self.description, channel, error) from error
            except AWAY as error:
                raise self.unavailable(error) from error
            finally:
                await admin.close()
        return self._topics[channel]

    async def _made(self, admin: AIOKafkaAdminClient, channel: str) -> Topic:
        """What is known of a topic, which is made where there is none."""
        wanted = NewTopic(channel, self._address.partitions, self._address.replicas, topic_configs=BY_ITS_OWN_CLOCK)
        answer = await admin.create_topics([wanted])
        for _, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"topic {channel}")
        while True:
            (found,) = await admin.describe_topics([channel])
            if not found["error_code"] and found["partitions"]:  # what was just made is not known everywhere
                return Topic(len(found["partitions"]), await _limit(admin, channel))
            await asyncio.sleep(0.02)

    def _record(self, event: CloudEvent, limit: int) -> Record:
        headers, body = write(event, structured=self._address.structured)
        record = Record(
            event.key.encode(), body, [(name, text.encode()) for name, text in headers.items()], now_us() // 1000
        )
        if (size := _size(record)) > limit:
            raise self._too_large(f"message {event.id}: {size:,} bytes with its headers", limit)
        return record

    def _too_large(self, what: str, limit: int) -> MessageRefused:
        return MessageRefused(
            f"{what} are more than the {limit:,} that {self.description} takes ({LIMIT}); make it smaller, "
            "or the topic's limit larger"
        )

    async def _send(
        self,
        producer: AIOKafkaProducer,
        to: Destination,
        places: Sequence[int],
        events: Sequence[CloudEvent],
        outcomes: dict[int, Outcome],
    ) -> None:
        """Hands over what goes to one partition, batch after batch; after one that fails nothing more.

        A record is written as soon as it is made: thousands that are kept would cost more than their making, since Python looks
        through what is kept for cycles.
        """
        records = prepared(events, places, lambda each: self._record(each, to.limit), outcomes)
        left = next(records, None)
        while left is not None:
            batch, taken = producer.create_batch(), list[int]()
            while left is not None and _written(batch, left[1]):
                taken.append(left[0])
                left = next(records, None)
            outcome = await self._confirmed(producer, batch, to)
            outcomes.update((place, outcome) for place in taken)
            if outcome is not None:
                outcomes.update((place, held_back(outcome)) for place in places if place not in outcomes)
                return

    async def _confirmed(self, producer: AIOKafkaProducer, batch: Any, to: Destination) -> Outcome:
        batch.close()
        try:
            with given_up_is_away(self.description):
                async with asyncio.timeout(self.seconds):
                    await (await producer.send_batch(batch, to.channel, partition=to.partition))
        except MessageSizeTooLargeError:
            self._topics.pop(to.channel, None)  # its limit has changed meanwhile
            return self._too_large(f"channel {to.channel}: {batch.size():,} bytes in one batch", to.limit)
        except (*AWAY, BrokerUnavailable) as error:
            self._topics.pop(to.channel, None)
            await self._give_up(producer)
            return error if isinstance(error, BrokerUnavailable) else self.unavailable(error)
        return None


def _written(batch: Any, record: Record) -> bool:
    """Whether there is room for it."""
    key, value, headers, time_ms = record
    return batch.append(timestamp=time_ms, key=key, value=value, headers=headers) is not None


def _size(record: Record) -> int:
    """About what the broker counts, and not less; bytes."""
    return (
        OVERHEAD + len(record.key) + len(record.value) + sum(len(name) + len(text) + 6 for name, text in record.headers)
    )


async def _limit(admin: AIOKafkaAdminClient, channel: str) -> int:
    """The size of the largest record batch that a topic takes, in bytes; something large where it is not ours to know."""
    resource = ConfigResource(ConfigResourceType.TOPIC, channel, {LIMIT: None})
    for answer in await admin.describe_configs([resource]):
        for _, _, _, _, entries in answer.resources:
            for name, value, *_ in entries:
                if name == LIMIT:
                    return int(value)
    return UNKNOWN_LIMIT
