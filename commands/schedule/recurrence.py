"""When a command comes again and again: at the instants of a cron expression, or after an interval."""

from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from commands.schedule.cron import Cron, cron_of
from eventstore import InvalidInput

MAX_SECONDS = 100 * 365 * 24 * 60 * 60
Missed: TypeAlias = Literal["all", "latest", "skip"]
"""What is done about instants that have passed while no worker was at work."""


_UNITS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000))


class Every(msgspec.Struct, frozen=True, tag="every"):
    """An instant after each interval.

    Attributes:
        us: the interval, in microseconds.
    """

    us: int

    def following(self, due_us: int, after_us: int) -> int:
        """The first instant after another, in the row that `due_us` stands in; in microseconds since 1970, as all of them."""
        return due_us + max(0, (after_us - due_us) // self.us + 1) * self.us

    def latest(self, due_us: int, now_us: int) -> int:
        """The last instant of that row that has come."""
        return due_us + (now_us - due_us) // self.us * self.us

    def __str__(self) -> str:
        left, parts = self.us, list[str]()
        for unit, us in _UNITS:
            count, left = divmod(left, us)
            parts += [f"{count} {unit}"] if count else []
        seconds = [f"{left / 1_000_000:g} s"] if left else []
        return f"every {' '.join([*parts, *seconds])}"


Recurrence: TypeAlias = Cron | Every


def recurrence_of(cron: str | None, every: timedelta | float | None, zone: str) -> Recurrence | None:
    """What a caller says of when a command comes again; None where it comes once.

    Raises:
        InvalidInput: it cannot be read, or says two things.
        Unsupported: the library that reads cron expressions is not installed.
    """
    if cron is not None and every is not None:
        raise InvalidInput(f"cron, every: expected one of them, got {cron!r} and {every!r}")
    if every is not None:
        return Every(microseconds_of("every", every, least=1.0))
    return None if cron is None else cron_of(cron, zone)


def microseconds_of(field: str, given: Any, *, least: float = 0.0) -> int:
    """A time in microseconds.

    Raises:
        InvalidInput: it is neither a timedelta nor a number of seconds, too short, or longer than a hundred years.
    """
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    fits = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and least <= seconds <= MAX_SECONDS
    if not fits:
        raise InvalidInput(
            f"{field}: expected a timedelta or seconds, from {least:g} to {MAX_SECONDS:,} (a hundred years), got {given!r}"
        )
    return round(seconds * 1e6)


def check_missed(given: Any) -> Missed:
    """The policy.

    Raises:
        InvalidInput: there is none of that name.
    """
    if given not in get_args(Missed):
        raise InvalidInput(f"missed: expected one of {', '.join(map(repr, get_args(Missed)))}, got {given!r}")
    chosen: Missed = given
    return chosen
