"""Ends clients of Kafka in time."""

import asyncio
from typing import Any

from aiokafka.errors import KafkaError


async def end_client(client: Any, seconds: float) -> None:
    """Ends a producer or a consumer of the library, or gives it up.

    Where the broker is away, it may wait for ever, also when it is cancelled; so nobody waits for its end longer than this.

    Args:
        client: what to end.
        seconds: how long it may take.
    """
    ending = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait([ending], timeout=seconds)
    if not done:
        ending.cancel()
    elif (error := ending.exception()) is not None and not isinstance(error, (KafkaError, OSError, TimeoutError)):
        raise error
