"""SIGTERM ends a long command as Ctrl-C does."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT raise KeyboardInterrupt, even where a shell has a background job ignore SIGINT."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with signals_call(interrupt):
        yield


@contextmanager
def signals_call(action: Callable[[], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT call something in this thread, between two of its steps."""

    def call(_number: int, _frame: FrameType | None) -> None:
        action()

    former = {each: signal.signal(each, call) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
