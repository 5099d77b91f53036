"""Cron expressions: the instants that one names, in a time zone."""

import itertools
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from eventstore import InvalidInput, Unsupported
from eventstore.recorded import to_datetime, to_microseconds

if TYPE_CHECKING:
    from cronsim import CronSim

_FIELDS = 5
_TURNED_BACK = timedelta(hours=3)
"""No clock is ever turned back by more."""


class Cron(msgspec.Struct, frozen=True, tag="cron"):
    """The instants of a cron expression.

    Attributes:
        expression: minute, hour, day of the month, month and day of the week, as `crontab` has them.
        zone: the time zone in which they are read, such as `Europe/Berlin`.
    """

    expression: str
    zone: str

    def following(self, _due_us: int, after_us: int) -> int:
        """The first instant after another; in microseconds since 1970, as all of them."""
        found = map(to_microseconds, self._instants(to_datetime(after_us)))
        return next(each for each in found if each > after_us)

    def latest(self, _due_us: int, now_us: int) -> int:
        """The last instant that has come. A clock that was turned back shows an hour twice, so it is looked for from later on."""
        found = map(to_microseconds, self._instants(to_datetime(now_us) + _TURNED_BACK, back=True))
        return next(each for each in found if each <= now_us)

    def _instants(self, start: datetime, *, back: bool = False) -> "CronSim":
        return _library()(self.expression, start.astimezone(ZoneInfo(self.zone)), back)

    def __str__(self) -> str:
        return f"{self.expression} {self.zone}"


def cron_of(expression: object, zone: object) -> Cron:
    """A cron expression that can be read.

    Raises:
        InvalidInput: it or its time zone cannot, or names no instant.
        Unsupported: the library that reads it is not installed.
    """
    cron_sim = _library()
    if not isinstance(expression, str) or len(expression.split()) != _FIELDS:
        raise InvalidInput(
            f"cron: expected five fields (minute, hour, day of month, month, day of week), got {expression!r}"
        )
    cron = Cron(" ".join(expression.split()), _checked_zone(zone))
    try:
        next(itertools.islice(cron_sim(cron.expression, datetime.now(ZoneInfo(cron.zone))), 1))
    except Exception as error:  # the library's own, which is not there where the library is not
        raise InvalidInput(f"cron: expected an expression that names instants, got {expression!r}: {error}") from error
    return cron


def _checked_zone(zone: object) -> str:
    try:
        return ZoneInfo(zone).key  # type: ignore[arg-type]  # whatever it is, it is tried
    except Exception as error:  # as many kinds of error as there are ways to be wrong
        raise InvalidInput(f"zone: expected the name of a time zone such as 'Europe/Berlin', got {zone!r}") from error


@cache
def _library() -> "type[CronSim]":
    try:
        from cronsim import CronSim
    except ImportError as error:
        raise Unsupported(
            "cron expressions need another library: install eventfold with its extra `cron`, as in "
            "pip install 'path/to/eventfold[cron]'"
        ) from error
    return CronSim
