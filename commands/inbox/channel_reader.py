"""Reads one channel for one group: as many of its partitions as fall to this process."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from commands.brokers.broker import Broker
from commands.errors import BrokerError
from commands.inbox.lane_reader import LaneReader
from commands.inbox.leases import Leases
from commands.inbox.waiting import unless_ended
from eventstore import StoreError
from eventstore.subscription import backoff

logger = logging.getLogger(__name__)

COUNT_SECONDS = 30.0
"""How often is looked for partitions that were added to the channel."""


class ChannelReader:
    """Reads until it is told to end, whatever happens meanwhile.

    Args:
        broker: where the messages come from.
        channel: which of its channels.
        leases: on its partitions.
        read: begins to read a partition.
        threads: where leases are kept.
    """

    def __init__(
        self, broker: Broker, channel: str, leases: Leases, read: Callable[[int], LaneReader], threads: Executor
    ) -> None:
        self._broker, self._channel, self._leases, self._read, self._threads = broker, channel, leases, read, threads
        self._partitions, self._count_at = 0, 0.0
        self._readers: dict[int, LaneReader] = {}

    async def work(self, ended: asyncio.Event) -> None:
        """Reads until `ended` is set, and then ends after what is in hand."""
        failures = 0
        try:
            while not ended.is_set():
                try:
                    await self._share()
                    failures, pause = 0, self._leases.due_in
                except Exception as error:  # nothing but `ended` ends it
                    failures += 1
                    expected = isinstance(error, (BrokerError, StoreError))
                    logger.warning("channel %s waits: %s", self._channel, error, exc_info=None if expected else error)
                    pause = backoff(failures)
                await unless_ended(ended, asyncio.sleep(pause))
        finally:
            await self._end(list(self._readers))
            await self._release()

    async def _share(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._count_at:
            await self._count()
            self._count_at = loop.time() + COUNT_SECONDS
        mine = await loop.run_in_executor(self._threads, self._leases.keep, self._partitions)
        await self._end([number for number in self._readers if number not in mine])
        for number in sorted(mine - self._readers.keys()):
            self._readers[number] = self._read(number)

    async def _count(self) -> None:
        try:
            self._partitions = await self._broker.partitions(self._channel)
        except BrokerError:
            if not self._partitions:
                raise

    async def _end(self, numbers: list[int]) -> None:
        await asyncio.gather(*[self._readers.pop(number).end() for number in numbers])

    async def _release(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._leases.release)
        except StoreError as error:  # they end by themselves
            logger.warning("channel %s: its partitions are not free before their leases end: %s", self._channel, error)
