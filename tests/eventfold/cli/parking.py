"""An application one of whose projections fails on some events, for as long as it is broken."""

from datetime import date
from typing import Any

from eventfold import Application, Event, MemoryTable, Poison, Recorded, SqlTable, Struct, projection


class Sold(Event):
    day: date
    cents: int


class Day(Struct, frozen=True):
    day: date
    cents: int = 0


class Mood:
    broken = True


def key(recorded: Recorded[Any]) -> date:
    if recorded.event.cents == 99 and Mood.broken:
        raise KeyError("no day")
    day: date = recorded.event.day
    return day


@projection("days", key=key)
def days(row: Day | None, recorded: Recorded[Sold]) -> Day:
    if recorded.event.cents == 13 and Mood.broken:
        raise ArithmeticError("thirteen")
    return Day(recorded.event.day, recorded.event.cents + (row.cents if row else 0))


POISON = Poison(attempts=2, pause=0.0)
app = Application("sqlite:///parking.db", projections=[days.into(SqlTable("days"), poison=POISON)], name="parking")
in_memory = Application("memory://", projections=[days.into(MemoryTable("days"), poison=POISON)])
