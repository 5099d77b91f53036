"""Dispatches scheduled commands, in a thread of its own: sleeps until the next one is due."""

import asyncio

from eventfold.fire import Sender, firing_of
from eventfold.follower import Follower
from eventfold.parts import Parts


def schedule_follower(parts: Parts, loop: asyncio.AbstractEventLoop | None) -> Follower:
    """A worker's part of an application's scheduled commands.

    It wakes when this process schedules something. What other processes have scheduled meanwhile is seen within a second, since
    nobody sleeps for longer.

    Args:
        parts: of the application.
        loop: where an async application dispatches; by default in one of the thread's own.
    """
    sender = Sender(parts, loop)
    firing = firing_of(parts, sender, lambda: not follower.stopping)
    follower = Follower(
        parts.store,
        "scheduled commands",
        lambda: firing.step() > 0,
        firing.due_in,
        sender.close,
        signal=parts.schedules.signal,
    )
    return follower
