"""Middleware that is written once, for threads and for asyncio tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

from commands.envelope import Envelope
from commands.receipt import Receipt
from eventstore import DefinitionError

T = TypeVar("T")
Steps: TypeAlias = Generator[Envelope, Receipt, Receipt | None]


class Around:
    """Middleware as a generator function. It yields the envelope to hand on, and gets the receipt, or the error, back.

        @Around
        def audited(envelope):
            receipt = yield replace(envelope, metadata={"audited": True})
            print(receipt.version)

    It may return another receipt; one that returns before it yields answers the command itself.

    Args:
        function: from an envelope to such a generator.
        name: for people; by default the function's.
        blocking: whether it waits for something, such as a query: an async application then runs it in a thread.
    """

    def __init__(
        self, function: Callable[[Envelope], Steps], name: str | None = None, *, blocking: bool = False
    ) -> None:
        self._function = function
        self._blocking = blocking
        self.__name__: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.__doc__ = function.__doc__

    def __call__(self, envelope: Envelope, call_next: Callable[[Envelope], Receipt]) -> Receipt:
        """Goes around the next one."""
        steps = self._function(envelope)
        begun = _begin(steps)
        if isinstance(begun, Receipt):
            return begun
        try:
            receipt = call_next(begun)
        except BaseException as error:  # noqa: BLE001 - thrown into the steps, which decide
            return _fail(steps, error)
        return _end(steps, receipt)

    async def call_async(self, envelope: Envelope, call_next: Callable[[Envelope], Awaitable[Receipt]]) -> Receipt:
        """Goes around the next one, which is awaited."""
        steps = self._function(envelope)
        begun: Envelope | Receipt = await self._run(_begin, steps)
        if isinstance(begun, Receipt):
            return begun
        try:
            receipt = await call_next(begun)
        except BaseException as error:  # noqa: BLE001 - thrown into the steps, which decide
            return await self._run(_fail, steps, error)
        return await self._run(_end, steps, receipt)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(function, *args) if self._blocking else function(*args)

    def __repr__(self) -> str:
        return f"<middleware {self.__name__}>"


def _begin(steps: Steps) -> Envelope | Receipt:
    try:
        return next(steps)
    except StopIteration as stop:
        if isinstance(stop.value, Receipt):
            return stop.value
        raise DefinitionError(
            f"middleware {_name(steps)}: expected it to yield an envelope, got {stop.value!r}"
        ) from None


def _end(steps: Steps, receipt: Receipt) -> Receipt:
    try:
        steps.send(receipt)
    except StopIteration as stop:
        changed: Receipt | None = stop.value
        return receipt if changed is None else changed
    raise _twice(steps)


def _fail(steps: Steps, error: BaseException) -> Receipt:
    try:
        steps.throw(error)
    except StopIteration as stop:
        instead: Receipt | None = stop.value
    else:
        raise _twice(steps)
    if instead is None:  # it has looked at the error, and has nothing to put in its place
        raise error  # out here, so that it keeps the cause and the context that it has
    return instead


def _name(steps: Steps) -> str:
    return str(getattr(steps, "__name__", steps))


def _twice(steps: Steps) -> DefinitionError:
    steps.close()
    return DefinitionError(f"middleware {_name(steps)}: expected it to yield once; a command is handed on once")
