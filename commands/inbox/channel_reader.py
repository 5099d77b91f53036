"""Reads one channel for one group: as many of its partitions as fall to this process."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from commands.brokers.broker import Broker
from commands.brokers.unanswered import given_up_is_away
from commands.errors import BrokerError
from commands.inbox.lane_reader import LaneReader
from commands.inbox.leases import Leases
from commands.inbox.trouble import Trouble
from commands.inbox.waiting import unless_ended
from eventstore import StoreError
from eventstore.subscription import backoff

logger = logging.getLogger(__name__)

COUNT_SECONDS = 30.0
"""How often is looked for partitions that were added to the channel."""


class ChannelReader:
    """Reads until it is told to end, whatever happens meanwhile. Nothing that consumers do holds up its leases.

    Args:
        broker: where the messages come from.
        channel: which of its channels.
        leases: on its partitions.
        read: begins to read a partition.
        trouble: told of what it waits for.
    """

    def __init__(
        self, broker: Broker, channel: str, leases: Leases, read: Callable[[int], LaneReader], trouble: Trouble
    ) -> None:
        self._trouble, self._where = trouble, f"channel {channel}"
        self._broker, self._channel, self._leases, self._read = broker, channel, leases, read
        self._partitions, self._count_at = 0, 0.0
        self._readers: dict[int, LaneReader] = {}
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._error: Exception | None = None
        self._shared = False  # whether it has its part

    @property
    def settled(self) -> bool:
        """Whether what falls to this process is read to its end, or cannot be read for now."""
        lanes = self._readers.values()
        return self.error is not None or (self._shared and not self._ending and all(each.settled for each in lanes))

    @property
    def error(self) -> Exception | None:
        """Why it, or one of its partitions, waits; None where all is read."""
        return next((each.error for each in self._readers.values() if each.error is not None), self._error)

    async def work(self, ended: asyncio.Event) -> None:
        """Reads until `ended` is set, and then ends after what is in hand."""
        failures = 0
        try:
            while not ended.is_set():
                try:
                    await self._share()
                    failures, pause, self._error = 0, self._leases.due_in, None
                    self._trouble.over(self._where)
                except Exception as error:  # noqa: BLE001 - nothing but `ended` ends it
                    failures, self._error = failures + 1, error
                    self._trouble.met(self._where, error)
                    pause = backoff(failures)
                await unless_ended(ended, asyncio.sleep(pause))
        finally:
            self._end(list(self._readers))
            await asyncio.gather(*self._ending.values())
            await self._release()

    async def _share(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._count_at:
            await self._count()
            self._count_at = now + COUNT_SECONDS
        mine = await asyncio.to_thread(self._leases.keep, self._partitions)
        self._ending = {number: task for number, task in self._ending.items() if not task.done()}
        self._end([number for number in self._readers if number not in mine])
        for number in sorted(mine - self._readers.keys() - self._ending.keys()):
            self._readers[number] = self._read(number)
        self._shared = not self._leases.hungry

    async def _count(self) -> None:
        try:
            with given_up_is_away(self._broker.description):
                self._partitions = await self._broker.partitions(self._channel)
        except BrokerError:
            if not self._partitions:
                raise

    def _end(self, numbers: Iterable[int]) -> None:
        """Has readers end after what is in hand, and does not wait for that."""
        for number in numbers:
            self._ending[number] = asyncio.create_task(self._readers.pop(number).end())

    async def _release(self) -> None:
        try:
            await asyncio.to_thread(self._leases.release)
        except StoreError as error:  # they end by themselves
            logger.warning("channel %s: its partitions are not free before their leases end: %s", self._channel, error)
