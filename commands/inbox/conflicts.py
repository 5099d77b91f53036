"""What is handled anew at once, because somebody else has moved what it depends on."""

import time
from collections.abc import Callable
from typing import TypeVar

from commands.retry import RetryPolicy
from eventstore import Conflict

R = TypeVar("R")

CONFLICTS = RetryPolicy()
"""How often, and after which pauses."""


def until_no_conflict(handle: Callable[[], R]) -> R:
    """What handling gives, once nobody has come in between.

    Raises:
        Conflict: somebody has each time.
    """
    for attempt in range(1, CONFLICTS.attempts):
        try:
            return handle()
        except Conflict:
            time.sleep(CONFLICTS.pause(attempt))
    return handle()
