"""A broker in this process's memory: for tests and for several services in one program. Nothing of it outlives the process."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from commands.brokers.broker import PARTITIONS, Delivery, partition_of
from commands.brokers.content import check_headers
from commands.brokers.waves import Outcome, prepared
from commands.cloud_event import CloudEvent


class MemoryBus:
    """What the connections to one broker in memory share: the messages of each partition, and who waits for more."""

    _buses: ClassVar[dict[str, "MemoryBus"]] = {}
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: defaultdict[tuple[str, int], list[CloudEvent]] = defaultdict(list)
        self.waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @classmethod
    def named(cls, name: str) -> "MemoryBus":
        """The one of this name, made where there is none yet; without a name, a new one."""
        with cls._making:
            return cls._buses.setdefault(name, cls()) if name else cls()

    def wake(self) -> None:
        """Tells those who wait, in whatever event loop, that there is more."""
        with self.lock:
            waiting, self.waiting = self.waiting, set()
        for loop, bell in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)


class MemoryBroker:
    """See `commands.brokers.broker.Broker`. A position is how many messages of the partition come up to it.

    Args:
        name: connections of the same name in one process reach the same messages; without one it is alone.
        partitions: of each channel.
    """

    def __init__(self, name: str = "", *, partitions: int = PARTITIONS) -> None:
        self.description = f"memory {name}".strip()
        self._bus = MemoryBus.named(name)
        self._partitions = partitions

    async def publish(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """Keeps messages."""
        outcomes: dict[int, Outcome] = {}
        with self._bus.lock:
            for place, each in prepared(events, range(len(events)), _checked, outcomes):
                self._bus.kept[each.channel, partition_of(each.key, self._partitions)].append(each)
                outcomes[place] = None
        self._bus.wake()
        return [outcomes[place] for place in range(len(events))]

    async def partitions(self, channel: str) -> int:
        """As many as was said."""
        return self._partitions

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> "MemorySubscription":
        """Reads a partition of a channel."""
        return MemorySubscription(self._bus, (channel, partition), int(after or 0))

    async def close(self) -> None:
        """There is no connection."""


class MemorySubscription:
    """See `commands.brokers.broker.Subscription`."""

    def __init__(self, bus: MemoryBus, partition: tuple[str, int], after: int) -> None:
        self._bus, self._partition, self._after = bus, partition, after

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages."""
        entry = asyncio.get_running_loop(), asyncio.Event()
        with self._bus.lock:
            self._bus.waiting.add(entry)  # before the look, so that none comes in between
        found = self._take(limit)
        if not found:
            try:
                await asyncio.wait_for(entry[1].wait(), wait_seconds)
            except TimeoutError:
                pass
            else:
                found = self._take(limit)
        with self._bus.lock:
            self._bus.waiting.discard(entry)
        return found

    def _take(self, limit: int) -> list[Delivery]:
        with self._bus.lock:
            events = self._bus.kept[self._partition][self._after : self._after + limit]
        found = [Delivery(str(self._after + number), each.data, each) for number, each in enumerate(events, 1)]
        self._after += len(found)
        return found

    async def confirm(self, position: str) -> None:
        """Nothing to do: positions are the reader's to keep."""

    async def close(self) -> None:
        """Nothing to let go of."""


def _checked(event: CloudEvent) -> CloudEvent:
    check_headers(event)
    return event
