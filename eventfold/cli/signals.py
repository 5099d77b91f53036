"""SIGTERM ends a long command as Ctrl-C does."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LOOK_SECONDS = 0.2
"""How often is looked whether a signal has come."""


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT raise KeyboardInterrupt, even where a shell has a background job ignore SIGINT."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with signals_call(interrupt):
        yield


@contextmanager
def signals_end() -> Iterator[Callable[[], bool]]:
    """While the block runs, SIGTERM and SIGINT leave a mark, and a second one raises KeyboardInterrupt.

    Gives a function that says whether there is a mark. Whoever waits for something else looks every `LOOK_SECONDS`: a signal that
    comes in the moment before a thread begins to wait does not wake it, and what a signal raises may be lost in a finalizer.
    """
    marks: list[int] = []

    def mark() -> None:
        if marks:
            raise KeyboardInterrupt
        marks.append(1)

    with signals_call(mark):
        yield lambda: bool(marks)


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
