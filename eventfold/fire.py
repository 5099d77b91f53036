"""Dispatches scheduled commands in this thread, through the application's own middleware."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from commands import Envelope, Receipt, Scheduled
from commands.schedule.firing import Firing
from eventfold.awaiting import Awaiting
from eventfold.parts import Parts


class Sender:
    """Dispatches from one thread, and waits for it where the application is an async one.

    Args:
        parts: of the application.
        loop: where coroutines run; by default in one of the thread's own.
    """

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._parts = parts
        self._awaiting = Awaiting(loop)

    def __call__(self, envelope: Envelope) -> Receipt:
        """Dispatches one command."""
        sent = self._parts.application.send(envelope)
        receipt: Receipt = self._awaiting(sent) if asyncio.iscoroutine(sent) else sent
        return receipt

    def close(self) -> None:
        """Ends the event loop, if there is one."""
        self._awaiting.close()


def firing_of(parts: Parts, send: Callable[[Envelope], Receipt], going: Callable[[], bool] = lambda: True) -> Firing:
    """What fires the scheduled commands of an application."""
    names = tuple(each.name for each in parts.declared_schedules)
    return Firing(parts.schedules, parts.commands, names, send, going)


def fire_due(parts: Parts) -> int:
    """Dispatches what is due. See `Application.fire_due`."""
    with _firing(parts) as firing:
        return sum(iter(firing.step, 0))


def fire_now(parts: Parts, which: str) -> Scheduled:
    """Dispatches one, whenever it is due. See `Firing.now`."""
    with _firing(parts) as firing:
        return firing.now(which)


@contextmanager
def _firing(parts: Parts) -> Iterator[Firing]:
    sender = Sender(parts)
    try:
        yield firing_of(parts, sender)
    finally:
        sender.close()
