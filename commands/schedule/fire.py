"""One dispatch of a scheduled command: what becomes of its row with it."""

import random

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from commands.errors import NotDue
from commands.failure import plain
from commands.schedule.scheduled import Scheduled
from commands.schedule.table import ScheduleTable

GRACE_US = 60_000_000
"""How late an instant may be before `skip` leaves it out."""
ATTEMPTS = 10
FIRST_PAUSE_US = 1_000_000
LONGEST_PAUSE_US = 300_000_000
MAX_ERROR = 2_000


class Fire(msgspec.Struct, frozen=True):
    """A dispatch, marked in the transaction of the append that it leads to; refused there where it is not due any more.

    Attributes:
        before: the row as it was found.
        after: the row once the command is done.
        due_us: the instant that it is dispatched for, microseconds since 1970 UTC.
        table: where the row is.
    """

    before: Scheduled
    after: Scheduled
    due_us: int
    table: ScheduleTable

    def mark(self, connection: Connection | None) -> None:
        """Puts the row in its new place, in the transaction that stores what the command leads to.

        Raises:
            NotDue: it was cancelled, or fired by somebody else.
        """
        if self.table.move(connection, [(self.before, self.after)]) != 1:
            raise NotDue


def fire_of(row: Scheduled, now_us: int, table: ScheduleTable) -> Fire | None:
    """What is to be dispatched of a row that is due; None where all that was missed is to be skipped."""
    if row.recurrence is None:
        return Fire(row, _ended(row, now_us), row.due_us, table)
    due_us = row.due_us
    if row.missed == "skip" and not row.attempts and now_us - due_us > GRACE_US:
        return None
    if row.missed == "latest":
        due_us = max(due_us, row.recurrence.latest(due_us, now_us))
    return Fire(row, _fired(_moved_on(row, row.recurrence.following(row.due_us, due_us))), due_us, table)


def out_of_turn(row: Scheduled, now_us: int, table: ScheduleTable) -> Fire:
    """A dispatch because somebody says so. One that recurs is due again when it would be anyway."""
    after = _ended(row, now_us) if row.recurrence is None else _fired(_moved_on(row, row.due_us))
    return Fire(row, after, now_us, table)


def skipped(row: Scheduled, now_us: int) -> Scheduled:
    """The row of a recurring command, once what was missed is left out."""
    assert row.recurrence is not None  # noqa: S101 - for the type checker; nothing else is skipped
    return _moved_on(row, row.recurrence.following(row.due_us, now_us))


def failed(fire: Fire, error: Exception, now_us: int, *, lasting: bool) -> Scheduled:
    """The row after a failure: to be tried again, later each time, or given up; then one that recurs waits for its next instant."""
    row, text = fire.before, plain(str(error) or repr(error))[:MAX_ERROR]
    attempts = row.attempts + 1
    if not lasting and attempts < ATTEMPTS:
        return replace(row, owner=None, attempts=attempts, error=text, look_us=now_us + _pause_us(attempts))
    if row.recurrence is None:
        return replace(row, owner=None, attempts=attempts, error=text, state="failed", ended_us=now_us)
    return replace(fire.after, fired=row.fired, error=text)


def let_go(row: Scheduled) -> Scheduled:
    """The row, not in hand any more."""
    return replace(row, owner=None, look_us=row.due_us)


def _moved_on(row: Scheduled, due_us: int) -> Scheduled:
    return replace(row, due_us=due_us, look_us=due_us, owner=None, attempts=0)


def _fired(row: Scheduled) -> Scheduled:
    return replace(row, fired=row.fired + 1, error=None)


def _ended(row: Scheduled, now_us: int) -> Scheduled:
    return replace(_fired(row), owner=None, state="done", ended_us=now_us)


def _pause_us(attempt: int) -> int:
    """Full jitter under a ceiling that doubles."""
    ceiling = min(LONGEST_PAUSE_US, FIRST_PAUSE_US * 2 ** (attempt - 1))
    return random.randint(ceiling // 2, ceiling)  # noqa: S311 - spreads load, guards no secret
