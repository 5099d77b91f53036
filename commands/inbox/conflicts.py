"""What is handled anew at once, because somebody else has moved what it depends on."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from commands.retry import RetryPolicy
from eventstore import Conflict

R = TypeVar("R")

AGAIN = ("40001", "40P01")
"""What PostgreSQL calls a transaction that it could not put in line with others (serialization), or took out of a deadlock."""

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


def in_each_others_way(error: BaseException | None) -> bool:
    """Whether a driver's error says that transactions were in each other's way, and that this one is to be tried again."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    return getattr(driver, "sqlstate", None) in AGAIN
