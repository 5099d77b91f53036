"""Reads one partition of a channel from NATS: a consumer of the moment that pulls, and is made anew wherever something is amiss."""

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo

from commands.brokers.broker import Delivery
from commands.brokers.nats_content import delivery_of, stream_of
from commands.errors import BrokerUnavailable

if TYPE_CHECKING:
    from commands.brokers.nats import NatsBroker

LOG = logging.getLogger("eventfold.brokers")
HEARTBEAT_SECONDS = 5
LINGER_SECONDS = 60
FORGOTTEN_SECONDS = 300.0  # when nobody pulls any more, the server removes the consumer
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
_NANO = 1_000_000_000
_OVER = {"404", "408"}  # nothing there, or the time of a request is over
_HEARTBEAT = "100"


class NatsSubscription:
    """See `commands.brokers.broker.Subscription`."""

    def __init__(self, broker: "NatsBroker", channel: str, partition: int, after: str | None) -> None:
        self._broker, self._channel, self._partition = broker, channel, partition
        self._stream = stream_of(channel)
        number, _, self._made = (after or "0").partition("@")
        self._after = int(number)  # the last that was given out
        self.bell = asyncio.Event()
        self._jetstream: JetStreamContext | None = None
        self._subscription: Subscription | None = None
        self._begin()

    def _begin(self) -> None:
        self._found: deque[Msg] = deque()
        self._asked = self._counted = 0
        self._lost = False
        self._heard = time.monotonic()

    async def open(self) -> None:
        """Makes a consumer that begins after what was given out.

        Raises:
            BrokerUnavailable: it cannot be had.
        """
        await self._end()
        self._begin()
        jetstream = await self._broker.jetstream()
        try:
            self._look_after(await jetstream.stream_info(self._stream))
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._after + 1,
                ack_policy=AckPolicy.NONE,
                filter_subject=f"{self._channel}.{self._partition}",
                inactive_threshold=FORGOTTEN_SECONDS,
                mem_storage=True,
                num_replicas=1,
            )
            self._consumer = (await jetstream.add_consumer(self._stream, config)).name
            self._inbox = jetstream._nc.new_inbox()  # noqa: SLF001 - as in the broker
            self._subscription = await jetstream._nc.subscribe(self._inbox, cb=self._on_message)  # noqa: SLF001 - the same
        except (TimeoutError, NatsError, OSError) as error:
            raise self._broker.unavailable(error) from error
        self._jetstream = jetstream

    def _look_after(self, info: StreamInfo) -> None:
        """Says what cannot be read any more. A stream is known by when it was made: a new one may have grown past the position."""
        state, made = info.state, "" if info.created is None else f"{info.created.timestamp():.6f}"
        if self._after > state.last_seq or (self._after and self._made not in {"", made}):
            LOG.warning(
                "%s: %s was made anew: it ends at %d, and %d was handled already; it is read from its beginning",
                *(self._broker.description, self._stream, state.last_seq, self._after),
            )
            self._after = 0
        elif self._after and self._after + 1 < state.first_seq:
            LOG.warning(
                "%s: %s is kept from %d only, and was handled up to %d: what lay between may be lost to this reader",
                *(self._broker.description, self._stream, state.first_seq, self._after),
            )
        self._made = made

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if not message.reply:  # a word of the server
            status = (message.header or {}).get("Status")
            if status in _OVER:
                self._asked = 0
            elif status != _HEARTBEAT:
                self._lost = True
        elif message.metadata.sequence.consumer != self._counted + 1:
            self._lost = True
        elif not self._lost:
            self._counted += 1
            self._asked -= 1
            self._found.append(message)
        self.bell.set()

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages."""
        deadline = time.monotonic() + wait_seconds
        while not self._found:
            await self._ask(limit)
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self.bell.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.bell.wait(), min(left, HEARTBEAT_SECONDS))
        given = [self._given(self._found.popleft()) for _ in range(min(limit, len(self._found)))]
        with contextlib.suppress(BrokerUnavailable):  # what was found is not kept back because more cannot be had
            await self._ask(limit)
        return given

    async def _ask(self, limit: int) -> None:
        """Asks for more, unless more is on its way."""
        jetstream, silent = self._jetstream, time.monotonic() - self._heard > SILENT_SECONDS and self._asked > 0
        if self._lost or silent or jetstream is None or not jetstream._nc.is_connected:  # noqa: SLF001 - as in the broker
            if self._found:
                return
            await self.open()
        if self._asked <= 0:
            self._asked = limit
            self._heard = time.monotonic()
            wanted = {"batch": limit, "expires": LINGER_SECONDS * _NANO, "idle_heartbeat": HEARTBEAT_SECONDS * _NANO}
            await self._pull(json.dumps(wanted).encode())

    async def _pull(self, request: bytes) -> None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        try:
            await (await self._broker.jetstream())._nc.publish(subject, request, reply=self._inbox)  # noqa: SLF001 - as in the broker
        except (NatsError, OSError) as error:
            raise self._broker.unavailable(error) from error

    def _given(self, message: Msg) -> Delivery:
        about = message.metadata
        self._after = about.sequence.stream
        arrived_us = int(about.timestamp.timestamp() * 1_000_000)
        return delivery_of(f"{self._after}@{self._made}", message.header, message.data, self._channel, arrived_us)

    async def confirm(self, position: str) -> None:
        """Nothing to do: the reader keeps its position itself."""

    async def close(self) -> None:
        """Ends it."""
        self._broker.subscriptions.discard(self)
        await self._end()

    async def _end(self) -> None:
        """Lets go of the consumer; one that cannot be reached goes by itself."""
        jetstream, subscription, self._jetstream, self._subscription = self._jetstream, self._subscription, None, None
        if jetstream is not None and subscription is not None and jetstream._nc.is_connected:  # noqa: SLF001 - the same
            with contextlib.suppress(NatsError, OSError, asyncio.TimeoutError):
                await subscription.unsubscribe()
                await jetstream.delete_consumer(self._stream, self._consumer)
