"""Work in a thread that a cancellation does not leave to itself."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from eventstore import EventfoldError

T = TypeVar("T")


async def uninterrupted(work: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
    """Does it in a thread, and returns only once that has ended, also where the caller is cancelled meanwhile.

    Args:
        work: what is done.
        undo: what is done, in a thread too, with what came of it where the caller was cancelled, and nobody else has it.
    """
    doing = asyncio.get_running_loop().run_in_executor(None, work)  # no task: the end of the loop would cancel it
    cancelled = False
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:
            cancelled = True
    if not cancelled:
        return doing.result()
    if doing.exception() is None:
        with suppress(EventfoldError):
            await uninterrupted(lambda: undo(doing.result()))
    raise asyncio.CancelledError
