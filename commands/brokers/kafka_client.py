"""Ends clients of Kafka in time."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from aiokafka.errors import KafkaError

AWAY = (KafkaError, OSError, asyncio.TimeoutError)
"""What the library raises where an answer did not come."""
CANCELLATIONS = 3
CANCELLED_SECONDS = 0.1


async def end_client(client: Any, connections: Any, seconds: float) -> None:
    """Ends a producer or a consumer of the library, or gives it up.

    Where the broker is away, it may wait for ever; so nobody waits for its end longer than this. Or it ends half way, also as if it
    were cancelled, where one of its requests waits to be tried again (https://github.com/aio-libs/aiokafka/issues/647). In either
    case it leaves its connections open, which are closed then.

    Args:
        client: what to end.
        connections: its own.
        seconds: how long either may take.
    """
    stopping = await _end(client.stop(), seconds)
    error = stopping.exception() if stopping.done() and not stopping.cancelled() else asyncio.CancelledError()
    if error is not None:
        await _end(connections.close(), seconds)
    if error is not None and not isinstance(error, (*AWAY, asyncio.CancelledError)):
        raise error


async def _end(work: Awaitable[None], seconds: float) -> "asyncio.Future[None]":
    """Does it, or gives it up: the library takes a cancellation for something else at times, so it is given several."""
    doing = asyncio.ensure_future(work)
    await asyncio.wait([doing], timeout=seconds)
    for _ in range(CANCELLATIONS):
        if not doing.done():
            doing.cancel()
            await asyncio.wait([doing], timeout=CANCELLED_SECONDS)
    return doing
