"""Reads one lane: takes messages from the broker, has them handled in a thread, and confirms them."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

from commands.brokers.broker import Broker, Subscription
from commands.brokers.unanswered import given_up_is_away
from commands.inbox.handling import Handling, MovedOn
from commands.inbox.retrying import Retrying
from commands.inbox.trouble import Trouble
from commands.inbox.waiting import unless_ended
from eventstore.subscription import backoff

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
"""How long is waited for messages at a time."""

QUIET_SECONDS = 2.0
"""How long a lane must have brought nothing to be taken for read to its end."""


class LaneReader:
    """Nothing but `end` ends it: after an error it waits, longer each time, and begins again where the lane stands.

    Args:
        broker: where the messages come from.
        handling: of the lane.
        retrying: of the lane.
        batch: up to so many messages are handled at once.
        threads: where they are handled.
        trouble: told of what it waits for.

    Attributes:
        error: why it waits; None where it reads.
    """

    def __init__(
        self,
        broker: Broker,
        handling: Handling,
        retrying: Retrying,
        batch: int,
        threads: Executor,
        trouble: Trouble,
    ) -> None:
        self._trouble = trouble
        self._broker, self._handling, self._retrying = broker, handling, retrying
        self._batch, self._threads = batch, threads
        self._ended = asyncio.Event()
        self.error: Exception | None = None
        self._failures = 0
        self._quiet_seconds = 0.0
        self._retry_at: float | None = None
        self._task = asyncio.create_task(self._work())

    @property
    def settled(self) -> bool:
        """Whether it has read to the end of what there is, or cannot for now."""
        return self.error is not None or self._quiet_seconds >= QUIET_SECONDS

    async def end(self) -> None:
        """Ends after what is in hand, and waits for that."""
        self._ended.set()
        await self._task
        self._trouble.over(self._where)

    async def _work(self) -> None:
        while not self._ended.is_set():
            try:
                with given_up_is_away(self._broker.description):
                    await self._read()
            except MovedOn:
                logger.info("%s: somebody else has read on; begins again where it stands", self._where)
            except Exception as error:  # noqa: BLE001 - nothing but `end` ends it
                self._failed(error)
                await unless_ended(self._ended, asyncio.sleep(backoff(self._failures)))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self.error = error
        self._trouble.met(self._where, error)

    async def _read(self) -> None:
        lane = self._handling.lane
        position = await self._in_thread(self._handling.begin)
        await self._retry_due()
        subscription = await self._broker.subscribe(lane.channel, lane.partition, lane.group, position)
        try:
            while not self._ended.is_set():
                await self._step(subscription)
                self._failures, self.error = 0, None
                self._trouble.over(self._where)
        finally:
            await subscription.close()

    async def _step(self, subscription: Subscription) -> None:
        wait = WAIT_SECONDS if self._retry_at is None else min(WAIT_SECONDS, max(0.0, self._retry_at - _now()))
        deliveries = await unless_ended(self._ended, subscription.receive(self._batch, wait))
        aside = False
        self._quiet_seconds = 0.0 if deliveries else self._quiet_seconds + wait
        if deliveries:
            aside = await self._in_thread(self._handling.handle, deliveries)
            await subscription.confirm(deliveries[-1].position)
        if aside or (self._retry_at is not None and _now() >= self._retry_at):
            await self._retry_due()

    async def _retry_due(self) -> None:
        seconds = await self._in_thread(self._retrying.retry_due)
        self._retry_at = None if seconds is None else _now() + seconds

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    @property
    def _where(self) -> str:
        lane = self._handling.lane
        return f"group {lane.group}, channel {lane.channel}, partition {lane.partition}"


def _now() -> float:
    return asyncio.get_running_loop().time()
