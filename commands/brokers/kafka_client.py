"""Ends clients of Kafka in time."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from aiokafka.errors import KafkaError

AWAY = (KafkaError, OSError, asyncio.TimeoutError)


async def end_client(client: Any, connections: Any, seconds: float) -> None:
    """Ends a producer or a consumer of the library, or gives it up.

    Where the broker is away, it may wait for ever, also when it is cancelled; so nobody waits for its end longer than this. Or it
    ends half way as if it were cancelled, where one of its requests waits to be tried again
    (https://github.com/aio-libs/aiokafka/issues/647).

    Args:
        client: what to end.
        connections: its own, which it leaves open where it ends half way.
        seconds: how long either may take.
    """
    ended = await _end(client.stop(), seconds)
    if ended is not None and ended.cancelled():
        ended = await _end(connections.close(), seconds)
    if ended is not None and not ended.cancelled() and (error := ended.exception()) and not isinstance(error, AWAY):
        raise error


async def _end(work: Awaitable[None], seconds: float) -> "asyncio.Future[None] | None":
    """What came of it; None where it has not ended in time."""
    ending = asyncio.ensure_future(work)
    await asyncio.wait([ending], timeout=seconds)
    if ending.done():
        return ending
    ending.cancel()
    return None
