"""Middleware around consumers, and the call in its middle."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

from sqlalchemy.exc import DBAPIError

from commands.inbox.arrival import Arrival, Readable, told
from commands.inbox.conflicts import in_each_others_way
from commands.inbox.effects import Effects
from commands.inbox.received import Received
from commands.inbox.table import Lane
from eventstore import Conflict, DefinitionError, StoreBusy, StoreUnavailable

Next: TypeAlias = Callable[[Received], None]
ConsumerMiddleware: TypeAlias = Callable[[Received, Next], None]


ENDINGS = (SystemExit, asyncio.CancelledError)
"""What a consumer may raise to end itself, or a task of its own: the thread that handles what comes next must outlive it."""


class ConsumerFailed(Exception):
    """A consumer has failed on a message: the message is at fault, and not the database."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(str(error))


class Chain:
    """The way of a message to its consumer.

    Args:
        middleware: the first one outermost.

    Raises:
        DefinitionError: something cannot be called.
    """

    def __init__(self, middleware: Sequence[ConsumerMiddleware] = ()) -> None:
        for each in middleware:
            if not callable(each):
                raise DefinitionError(f"middleware: expected callables (received, call_next), got {each!r}")
        self._middleware = tuple(middleware)
        self.names = tuple(str(getattr(each, "__name__", type(each).__name__)) for each in middleware)

    def consume(self, readable: Readable, arrival: Arrival, lane: Lane, attempt: int, effects: Effects) -> None:
        """Has a consumer handle a message.

        Raises:
            ConsumerFailed: it has raised something.
            Conflict: somebody else has moved what it depends on.
            StoreUnavailable: a database is away.
        """
        received = Received(
            readable.message, readable.event, effects, lane.group, lane.partition, arrival.delivery.position, attempt
        )
        call: Next = readable.consumer.consume
        for each in reversed(self._middleware):
            call = partial(_around, each, call)
        with at_fault():
            call(received)


@contextmanager
def at_fault() -> Iterator[None]:
    """Within the block, whatever is neither a conflict nor a database that is away is the message's fault.

    Raises:
        ConsumerFailed: something was raised that is.
    """
    try:
        yield
    except (Conflict, StoreUnavailable, StoreBusy):
        raise
    except (Exception, *ENDINGS) as error:  # what would end a program ends its message alone
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # becomes StoreUnavailable where the transaction ends
        if in_each_others_way(error):
            raise Conflict(told(error)) from error
        raise ConsumerFailed(error) from error


def _around(middleware: ConsumerMiddleware, call_next: Next, received: Received) -> None:
    middleware(received, call_next)
