"""Calls the functions of reactions: plain ones in the thread at hand, those under `async def` in an event loop."""

import asyncio
from collections.abc import Sequence
from typing import Any

from eventfold.awaiting import Awaiting
from eventfold.parts import Parts
from eventstore import Recorded
from projections.reaction import Reaction


class Caller:
    """Calls reactions from one thread.

    Args:
        parts: of the application.
        loop: where coroutines run; by default in an event loop of this thread's own, which lasts until `close`.
    """

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._parts = parts
        self._awaiting = Awaiting(loop)

    def __call__(self, reaction: Reaction, recorded: Recorded[Any]) -> None:
        """Calls one, and waits until it has ended."""
        application = self._parts.application
        if not reaction.is_async:
            application = getattr(application, "sync", application)
        called = reaction(recorded, application) if reaction.takes_app else reaction(recorded)
        if reaction.is_async:
            self._awaiting(called)

    def many(self, reaction: Reaction, events: Sequence[Recorded[Any]]) -> None:
        """Calls what does the same for many events at once."""
        assert reaction.many is not None  # noqa: S101 - for the type checker; only such a one is called so
        application = self._parts.application
        reaction.many(events, getattr(application, "sync", application))

    def close(self) -> None:
        """Ends the event loop, if there is one."""
        self._awaiting.close()
