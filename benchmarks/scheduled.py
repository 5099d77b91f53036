"""Finding the scheduled commands that are due among many that are held, and taking them in hand."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from benchmarks.domain import Deposit, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place
from commands.schedule.firing import AT_ONCE
from commands.schedule.scheduled import Carried
from commands.schedule.schedules import Schedules
from commands.schedule.table import Takes
from commands.schedule.when import When

HELD = 100_000
SECOND_US = 1_000_000


def fill(schedules: Schedules, number: int) -> int:
    """One that is due each second; returns when the first one is."""
    first = schedules.row(Deposit("1", 1), Carried(), When(after=1))
    rows = [
        replace(first, id=f"{each:036}", due_us=due, look_us=due)
        for each in range(number)
        for due in [first.due_us + each * SECOND_US]
    ]
    schedules.table.keep(None, rows)
    return first.due_us


def finding(schedules: Schedules, first_us: int, held: int) -> Contestant:
    """Each time, as many have come due as are taken in hand at once, and nobody lets go of them before all have had their turn."""
    takes, now_us, round_us = Takes(("Deposit",), ()), first_us - SECOND_US, held * SECOND_US

    def run(count: int) -> int:
        nonlocal now_us
        for _ in range(count):
            now_us += AT_ONCE * SECOND_US
            look_us = schedules.table.next_look(takes)
            assert look_us is not None
            assert look_us <= now_us
            assert len(schedules.table.lease(takes, now_us, now_us + round_us, "bench", AT_ONCE)) == AT_ONCE
        return count

    return Contestant(run)


@contextmanager
def due(place: Place, effort: Effort) -> Iterator[Contest]:
    held = min(HELD, effort.log_events)
    with application(place.new()) as app:
        schedules = app.parts.schedules
        yield Contest(finding(schedules, fill(schedules, held), held))


BENCHMARKS = [
    Benchmark("scheduled", "find and take 16 due commands of 100,000 that are scheduled", "ms", due, owed_ms=5),
]
