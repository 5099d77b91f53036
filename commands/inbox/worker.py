"""Consumes messages until it is stopped."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Self

from commands.brokers.broker import Broker
from commands.brokers.opening import BrokerSource, open_broker
from commands.inbox.chain import Chain
from commands.inbox.channel_reader import ChannelReader
from commands.inbox.consuming import Consuming
from commands.inbox.effects import Reach
from commands.inbox.group import Group
from commands.inbox.handling import Handling
from commands.inbox.lane_reader import LaneReader
from commands.inbox.leases import LEASE_SECONDS, Leases, reader_name
from commands.inbox.parts import Parts
from commands.inbox.pruning import prune
from commands.inbox.retrying import Retrying
from commands.inbox.table import InboxTable
from commands.inbox.trouble import Trouble
from commands.inbox.waiting import unless_ended
from commands.until_stopped import until_stopped
from eventstore import StoreError

logger = logging.getLogger(__name__)

PRUNE_SECONDS = 60.0
"""How often is looked for what was handled so long ago that it is forgotten."""

SETTLED_SECONDS = 0.05
"""How often is looked whether all is read to its end."""


class InboxWorker:
    """Consumes the messages of an inbox in this thread (`run`) or in one of its own (`start`, or a `with` block).

    Any number of them may run, in any number of processes and on any number of machines. They share the partitions of each channel
    among themselves, and take over from one that is gone. While the database or the broker is away, it waits and tries again.
    Nothing but `stop` ends a thread of its own, not even a broker that cannot be opened, at which `run` raises.

    Args:
        table: of the inbox.
        groups: whose consumers handle the messages.
        broker: where they come from: its URL, or a function that makes a connection.
        reach: what the consumers can reach.
        consuming: how they consume.
        lease_seconds: how long it may be silent before others take over its partitions.
    """

    def __init__(
        self,
        table: InboxTable,
        groups: Sequence[Group],
        broker: BrokerSource,
        reach: Reach,
        consuming: Consuming,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._table, self._groups, self._source, self._reach = table, groups, broker, reach
        self._consuming, self._lease_seconds = consuming, lease_seconds
        self._chain = Chain(consuming.middleware)
        self._name = reader_name()
        self._stopping = threading.Event()
        self._ending: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread: threading.Thread | None = None

    @property
    def description(self) -> str:
        """For whom it consumes, for people."""
        return ", ".join(f"group {each.reading.group} of channel {each.reading.channel}" for each in self._groups)

    @property
    def running(self) -> bool:
        """Whether the background thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def run(self) -> None:
        """Works until `stop` is called.

        Raises:
            Exception: the broker cannot be opened or closed.
        """
        asyncio.run(self._main())

    def run_once(self) -> None:
        """Handles what the broker has now, and the retries that are due, and ends.

        Partitions that another process holds are left to it. `end` ends it sooner.

        Raises:
            BrokerError: the broker is away, or refuses.
            StoreError: the database is away, or refuses.
        """
        asyncio.run(self._main(once=True))

    def start(self) -> Self:
        """Works in a background thread, also after `stop`; where it does so already, nothing happens."""
        if not self.running:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._work, name="eventfold-inbox", daemon=True)
            self._thread.start()
        return self

    def end(self) -> None:
        """Tells it to end after the messages in hand, and does not wait for that; may be called by a handler of signals."""
        self._stopping.set()
        if self._ending is not None:
            loop, ended = self._ending
            with suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(ended.set)

    def stop(self) -> None:
        """Ends after the messages in hand, and waits for that."""
        self.end()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(self, *_exception: object) -> None:
        await asyncio.to_thread(self.stop)

    def _work(self) -> None:
        until_stopped(self.run, self._stopping, "the inbox's worker")

    async def _main(self, *, once: bool = False) -> None:
        ended = asyncio.Event()
        self._ending = asyncio.get_running_loop(), ended
        if self._stopping.is_set():  # it was told so before there was anybody to tell
            return
        broker = open_broker(self._source)
        parallel = self._consuming.parallel
        with (
            ThreadPoolExecutor(parallel, "eventfold-inbox-keys") as of_keys,
            ThreadPoolExecutor(parallel, "eventfold-inbox") as threads,
        ):
            parts = Parts(self._consuming.parallel_keys, of_keys) if self._table.shares else None
            trouble = Trouble()
            readers = [self._reader(each, broker, threads, parts, trouble) for each in self._groups]
            try:
                beside = _until_settled(readers, ended) if once else self._prune(ended)
                work = [_ending_all(each, ended) for each in (*[each.work(ended) for each in readers], beside)]
                outcomes = await asyncio.gather(*work, return_exceptions=True)  # before the broker is closed
                for each in outcomes:
                    if isinstance(each, BaseException):
                        raise each
            finally:
                self._ending = None
                await broker.close()

    def _reader(
        self, group: Group, broker: Broker, threads: Executor, parts: Parts | None, trouble: Trouble
    ) -> ChannelReader:
        table, reading = self._table, group.reading

        def read(partition: int) -> LaneReader:
            handling = Handling(table, group, partition, self._reach, self._chain, parts)
            retrying = Retrying(table, group, handling.lane, self._reach, self._chain)
            return LaneReader(broker, handling, retrying, self._consuming.batch, threads, trouble)

        leases = Leases(table, reading.group, reading.channel, self._name, self._lease_seconds)
        return ChannelReader(broker, reading.channel, leases, read, trouble)

    async def _prune(self, ended: asyncio.Event) -> None:
        while True:  # what was begun before a long absence is ended first, as long as it is known
            await unless_ended(ended, asyncio.sleep(PRUNE_SECONDS))
            if ended.is_set():
                return
            try:
                await asyncio.to_thread(prune, self._table, self._consuming.keep_seconds)
            except StoreError as error:
                logger.warning("what was handled long ago is not forgotten yet: %s", error)


async def _ending_all(work: Awaitable[None], ended: asyncio.Event) -> None:
    try:
        await work
    finally:
        ended.set()


async def _until_settled(readers: Sequence[ChannelReader], ended: asyncio.Event) -> None:
    """Ends everybody when all is read to its end.

    Raises:
        Exception: what one of them waits for, when nothing is left to read for the others.
    """
    while not ended.is_set() and not all(each.settled for each in readers):
        await unless_ended(ended, asyncio.sleep(SETTLED_SECONDS))
    errors = [each.error for each in readers if each.error is not None]
    ended.set()
    if errors:
        raise errors[0]
