"""Waits, from one thread, for what is awaited elsewhere: in an event loop that runs, or in one of the thread's own."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Awaiting:
    """Of one thread.

    Args:
        loop: where coroutines run; by default in an event loop of this thread's own, which lasts until `close`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._runner: asyncio.Runner | None = None

    def __call__(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it to its end, and returns what it returns."""
        if self._loop is not None and not self._loop.is_closed():
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Ends the event loop, if there is one."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
