"""Answers that do not contain the write that was asked for."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from projections.errors import EventParked

WAIT_SECONDS = 5.0
"""How long a query waits for a write, unless it is told otherwise."""


class Stale(msgspec.Struct, frozen=True):
    """What a query tells of an answer that does not contain the write that was asked for.

    Attributes:
        projection: whose rows.
        wanted: the position of the write.
        reached: the position up to which the rows are complete, but for what is parked.
        parked: what the write, or the row that was asked for, waits for, where events of it are parked.
    """

    projection: str
    wanted: int
    reached: int
    parked: EventParked | None = None


StaleOption: TypeAlias = bool | Callable[[Stale], object]
"""Whether an answer without the write will do; a function is told of one."""
