"""Hands messages to a broker from plain threads: the broker lives in an event loop of its own."""

import asyncio
import threading
from collections.abc import Sequence

from commands.brokers.broker import Broker
from commands.brokers.handing_over import hand_over
from commands.brokers.opening import BrokerSource, check_broker, open_broker
from commands.cloud_event import CloudEvent
from commands.errors import BrokerUnavailable
from eventstore import DefinitionError


class Sender:
    """Safe to share among threads. Nothing is connected, and no thread begun, before the first message.

    Args:
        broker: its URL, or a function that makes a connection; None where there is none, so that nothing can be sent.
    """

    def __init__(self, broker: BrokerSource | None) -> None:
        self._given = check_broker(broker)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._broker: Broker | None = None

    def send(self, events: Sequence[CloudEvent]) -> None:
        """Hands messages over, and waits until the broker has confirmed each of them.

        Raises:
            BrokerUnavailable: it is away; some may have been taken.
            MessageRefused: it refuses one of them.
            DefinitionError: there is no broker.
        """
        if not events:
            return
        loop = self._running()
        outcomes = asyncio.run_coroutine_threadsafe(self._publish(events), loop).result()
        failures = [each for each in outcomes if each is not None]
        away = [each for each in failures if isinstance(each, BrokerUnavailable)]
        for each in away or failures:
            raise each

    async def _publish(self, events: Sequence[CloudEvent]) -> Sequence[Exception | None]:
        assert self._broker is not None  # noqa: S101 - for the type checker; `_running` has made it
        return await hand_over(self._broker, events)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                if self._given is None:
                    raise DefinitionError(
                        "publications: there is nothing to publish to; name a broker, as in broker='nats://...'"
                    )
                self._broker = open_broker(self._given)
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="eventfold-sender", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Lets go of the broker. What comes later connects again."""
        with self._lock:
            loop, thread, broker = self._loop, self._thread, self._broker
            self._loop = self._thread = self._broker = None
        if loop is None or thread is None or broker is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(broker.close(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
