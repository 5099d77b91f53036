"""`Watch` for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, Self, TypeVar

from projections import Changed, Watch

M = TypeVar("M")


class AsyncWatch(Generic[M]):
    """Tells of every row that events touch, in a thread, so that the event loop stays free. See `Watch`.

    Args:
        make: opens the watch; it blocks.
    """

    def __init__(self, make: Callable[[], Watch[M]]) -> None:
        self._make = make
        self._watch: Watch[M] | None = None

    async def __aenter__(self) -> Self:
        self._watch = await asyncio.to_thread(self._make)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._watch is not None:
            self._watch.close()

    async def __aiter__(self) -> AsyncIterator[Changed[M]]:
        if self._watch is None:
            raise RuntimeError("use it as a context manager: `async with app.watch(...) as changes`")
        changes = iter(self._watch)
        while (change := await asyncio.to_thread(next, changes, None)) is not None:
            yield change

    def stop(self) -> None:
        """Ends the iteration after the change in hand."""
        if self._watch is not None:
            self._watch.stop()
