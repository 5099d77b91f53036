"""When a command is to be dispatched, as a caller says it."""

from datetime import datetime, timedelta

import msgspec

from commands.schedule.recurrence import Missed, Recurrence, check_missed, microseconds_of, recurrence_of
from eventstore import InvalidInput
from eventstore.bounds import check_instant

MAX_NAME = 100


class When(msgspec.Struct, frozen=True):
    """Once, `at` an instant or `after` a time; or again and again, by `cron` or `every`. See `Application.schedule`."""

    at: datetime | None = None
    after: timedelta | float | None = None
    cron: str | None = None
    every: timedelta | float | None = None
    zone: str = "UTC"
    missed: Missed = "latest"
    name: str | None = None

    def recurrence(self) -> Recurrence | None:
        """When it comes again; None where it comes once.

        Raises:
            InvalidInput: what it says cannot be, or is not enough.
            Unsupported: the library that reads cron expressions is not installed.
        """
        said = {"at": self.at, "after": self.after, "cron": self.cron, "every": self.every}
        given = [name for name, value in said.items() if value is not None]
        if len(given) != 1:
            raise InvalidInput(f"at, after, cron, every: expected one of them, got {' and '.join(given) or 'none'}")
        if (given[0] in {"cron", "every"}) != (self.name is not None):
            raise InvalidInput(f"name: expected one exactly where a command recurs, got {self.name!r}")
        check_missed(self.missed)
        if self.name is not None:
            check_name(self.name)
        return recurrence_of(self.cron, self.every, self.zone)

    def due_us(self, now_us: int) -> int:
        """The first instant, microseconds since 1970 UTC.

        Raises:
            InvalidInput, Unsupported: as for `recurrence`.
        """
        recurrence = self.recurrence()
        if recurrence is not None:
            return recurrence.following(now_us, now_us)
        if self.at is not None:
            return check_instant("at", self.at)
        return now_us + microseconds_of("after", self.after)


def check_name(name: object) -> None:
    """Makes sure of a schedule's name.

    Raises:
        InvalidInput: it is not acceptable.
    """
    if not (isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable()):
        raise InvalidInput(f"name: expected a text of 1 to {MAX_NAME} printable characters, got {name!r}")
