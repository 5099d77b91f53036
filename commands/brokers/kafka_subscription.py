"""Reads one partition of a channel from Kafka: the records of its partition after an offset."""

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from commands.brokers.broker import Delivery
from commands.brokers.content import deliver
from commands.brokers.kafka_client import AWAY, end_client
from commands.brokers.kafka_topic_id import topic_id

if TYPE_CHECKING:
    from commands.brokers.kafka import KafkaBroker

LOG = logging.getLogger("eventfold.brokers")
LOOK_SECONDS = 0.25
"""How often is looked whether the topic is the same, while records come."""
STALLED_SECONDS = 10.0
"""After so long without a record is looked whether there are some that the client does not fetch, as it happens after a restart of
the server. Where it stands at the same place twice so long, another client takes over."""


class KafkaSubscription:
    """See `commands.brokers.broker.Subscription`.

    A topic is known by its id: one that was made anew may have grown past the position. The broker does not say so by itself.
    """

    def __init__(self, broker: "KafkaBroker", channel: str, partition: int, group: str, after: str | None) -> None:
        self._broker, self._channel, self._group = broker, channel, group
        self._partition = TopicPartition(channel, partition)
        offset, _, self._made = (after or "-1").partition("@")
        self._next = int(offset) + 1
        self._look_at = 0.0
        self._quiet_since = time.monotonic()
        self._stood_at: int | None = None  # where the client was before something that it had not fetched
        self._consumer: AIOKafkaConsumer | None = None
        self._telling: asyncio.Task[None] | None = None

    async def open(self) -> AIOKafkaConsumer:
        """Goes to what comes after the position, or says that it is not there any more.

        Raises:
            BrokerUnavailable: the broker is away.
        """
        try:
            async with asyncio.timeout(self._broker.seconds):
                consumer = await self._connected()
                made = await self._topic_id(consumer)
                begin = (await consumer.beginning_offsets([self._partition]))[self._partition]
                end = (await consumer.end_offsets([self._partition]))[self._partition]
        except AWAY as error:
            raise self._broker.unavailable(error) from error
        if self._next > end or (self._next and self._made not in {"", made}):
            LOG.warning(
                "%s: %s was made anew: it ends before %d, and %d was handled already; it is read from its beginning",
                *(self._broker.description, self._partition, end, self._next - 1),
            )
            self._next = begin
        elif self._next < begin:
            if self._next:
                LOG.warning(
                    "%s: %s is kept from %d only, and was handled up to %d: what lay between is lost to this reader",
                    *(self._broker.description, self._partition, begin, self._next - 1),
                )
            self._next = begin
        self._made = made
        consumer.seek(self._partition, self._next)
        return consumer

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer: Any = AIOKafkaConsumer(
                **self._broker.connection,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=4 << 20,
            )
            try:
                await consumer.start()
            except BaseException:
                await _give_up(consumer, self._broker.seconds)
                raise
            consumer.assign([self._partition])
            self._consumer = consumer
        return self._consumer

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages. While the broker is away, none come, or an error does."""
        consumer = self._consumer or await self.open()
        try:
            found = await consumer.getmany(self._partition, timeout_ms=int(wait_seconds * 1000), max_records=limit)
            records = found.get(self._partition, [])
            look = bool(records) and time.monotonic() >= self._look_at
            async with asyncio.timeout(self._broker.seconds):
                anew = look and await self._topic_id(consumer) != self._made
                stalled = not records and await self._stalled(consumer)
        except OffsetOutOfRangeError:
            records, anew, stalled = [], True, False
        except AWAY as error:
            consumer.seek(self._partition, self._next)  # what was found is not given out
            raise self._broker.unavailable(error) from error
        if records:
            self._quiet_since = time.monotonic()
        if stalled:
            await self._let_go()
        if anew or stalled:
            await self.open()
            return []
        return [self._given(each) for each in records]

    async def _stalled(self, consumer: AIOKafkaConsumer) -> bool:
        """Whether the client stands before records that it does not fetch, as it did when this was looked at before."""
        if time.monotonic() < self._quiet_since + STALLED_SECONDS:
            return False
        self._quiet_since = time.monotonic()
        place = await consumer.position(self._partition)  # which passes over marks of transactions, too
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        before, self._stood_at = self._stood_at, place if place < end else None
        if self._stood_at is None or self._stood_at != before:
            return False
        LOG.warning("%s: %s: begins again at %d of %d", self._broker.description, self._partition, self._next, end)
        return True

    async def _topic_id(self, consumer: AIOKafkaConsumer) -> str:
        found = await topic_id(consumer._client, self._channel)  # noqa: SLF001 - it has no other way to ask
        self._look_at = time.monotonic() + LOOK_SECONDS
        return found

    def _given(self, record: "ConsumerRecord[bytes, bytes]") -> Delivery:
        self._next = record.offset + 1
        return deliver(
            f"{record.offset}@{self._made}",
            {name: (value or b"").decode(errors="replace") for name, value in record.headers},
            record.value or b"",
            channel=self._channel,
            key=None if record.key is None else record.key.decode(errors="replace"),
            arrived_us=record.timestamp * 1000,
        )

    async def confirm(self, position: str) -> None:
        """Tells the broker how far the group is, for those who look; nothing is read from there."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(int(position.partition("@")[0]) + 1))

    async def _tell(self, following: int) -> None:
        if self._consumer is not None:
            with contextlib.suppress(*AWAY):
                await self._consumer.commit({self._partition: following})

    async def close(self) -> None:
        """Ends it."""
        self._broker.subscriptions.discard(self)
        await self._let_go()

    async def _let_go(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
            await asyncio.wait([telling], timeout=self._broker.seconds)
        consumer, self._consumer, self._stood_at = self._consumer, None, None
        if consumer is not None:
            await _give_up(consumer, self._broker.seconds)


async def _give_up(consumer: Any, seconds: float) -> None:
    """Lets go of a client. Its fetching ends first, which it forgets where something else of it does not end."""
    fetcher = consumer._fetcher  # noqa: SLF001 - it has no other way to end its fetching
    if fetcher is not None:
        fetcher._fetch_task.cancel()  # noqa: SLF001 - nor has that
    await end_client(consumer, consumer._client, seconds)  # noqa: SLF001 - it leaves this open at times
