"""Takes a number of events from a subscription without waiting forever for one that does not come."""

import asyncio
import threading
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any, TypeVar

from eventstore.recorded import Recorded
from eventstore.subscription import Subscription
from eventstore.testing.contract.base import PATIENCE_SECONDS

T = TypeVar("T")


def take(count: int, subscription: Subscription) -> list[Recorded[Any]]:
    """The next events of a subscription, fewer where they don't come."""
    impatience = threading.Timer(PATIENCE_SECONDS, subscription.stop)
    impatience.start()
    try:
        return list(islice(subscription, count))
    finally:
        impatience.cancel()
        impatience.join()


async def take_async(count: int, items: AsyncIterator[T]) -> list[T]:
    """The next of what an asynchronous iterator gives.

    Raises:
        TimeoutError: they don't come.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await anext(items) for _ in range(count)]
