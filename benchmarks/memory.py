"""How much memory reading and rebuilding take: the peak before, after a tenth of the log, and after all of it.

Each measurement has a process of its own, because a peak never falls. Run as a program, this is one: `python -m
benchmarks.memory read sqlite:///log.db`; without arguments it measures everything.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.conditions import tagged_log
from benchmarks.domain import EVENTS, Subscribed
from benchmarks.harness import FULL, QUICK, Effort
from benchmarks.place import Place, postgres_place, sqlite_place
from eventfold import Application, Projection, Recorded, SqlTable, Struct, open_store, projection, sum_of
from projections import rebuild
from projections.rebuild import Progress

WORK = ("read", "rebuild", "rebuild-keys")


class Peaks(msgspec.Struct, frozen=True):
    """Peaks of resident memory in MiB, and how many events there were."""

    before: float
    tenth: float
    all: float
    events: int


class Course(Struct, frozen=True):
    course_id: str
    subscriptions: int = 0


@projection("courses", key=lambda recorded: recorded.event.course_id)
def courses(row: Course | None, recorded: Recorded[Subscribed]) -> Course:
    return Course(recorded.event.course_id, 1 if row is None else row.subscriptions + 1)


class Half(Struct, frozen=True):
    half: str
    subscriptions: int = 0


@projection("halves", key=lambda recorded: f"{recorded.event.student_id}/{int(recorded.event.course_id) // 2 % 2}")
def halves(row: Half | None, recorded: Recorded[Subscribed], half: str) -> Half:
    del recorded
    return Half(half, 1 if row is None else row.subscriptions + 1)


def peak() -> float:
    """The most memory that this process has had, in MiB. Not `ru_maxrss`, which begins with the parent's."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status: expected a line VmHWM; peaks are measured on Linux only")


def reading(url: str) -> Peaks:
    """Reads a log from end to end."""
    with closing(open_store(url, events=EVENTS)) as store:
        head = store.head()
        sum(1 for _ in store.read_log(limit=1))
        before = tenth = peak()
        events = 0
        for _ in store.read_log():
            events += 1
            if events == head // 10:
                tenth = peak()
        return Peaks(before, tenth, peak(), events)


def rebuilding(url: str, kept: Projection[Any]) -> Peaks:
    """Rebuilds a projection over a whole log."""
    model = kept.model.cls
    with Application(url, projections=[kept.into(SqlTable(kept.name))], migrate=True) as app:
        (track,) = app.engine.tracks
        app.query(model).count()
        before, head = peak(), app.store.head()
        tenths: list[float] = []

        def watch(progress: Progress) -> None:
            if progress.position >= head // 10 and not tenths:
                tenths.append(peak())

        events = rebuild(app.store, track, on_progress=watch)
        after = peak()
        assert app.query(model).aggregate(all=sum_of("subscriptions")) == {"all": events}
        return Peaks(before, tenths[0], after, events)


def measure(place: Place, effort: Effort) -> dict[str, Peaks]:
    """Each kind of work, in a process of its own."""
    url = tagged_log(place, effort.tagged_events)
    found = {}
    for work in WORK:
        command = [sys.executable, "-m", "benchmarks.memory", work, url]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found[work] = msgspec.json.decode(done.stdout, type=Peaks)
    return found


def report(effort: Effort, kinds: Sequence[str], console: Console) -> None:
    """Measures and prints a table."""
    table = Table(title="Peak resident memory in MiB")
    for heading in ("work", "events", "before", "after a tenth", "after all"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for kind in kinds:
        with (sqlite_place if kind == "sqlite" else postgres_place)() as place:
            for work, each in measure(place, effort).items():
                numbers = (f"{value:.0f}" for value in (each.before, each.tenth, each.all))
                table.add_row(f"{kind}: {work}", f"{each.events:,}", *numbers)
    console.print(table)


def main(arguments: Sequence[str]) -> None:
    """One measurement for `measure`, or all of them for people."""
    if arguments and arguments[0] in WORK:
        work = {
            "read": reading,
            "rebuild": lambda url: rebuilding(url, courses),
            "rebuild-keys": lambda url: rebuilding(url, halves),
        }
        peaks = work[arguments[0]](arguments[1])
        sys.stdout.write(msgspec.json.encode(peaks).decode())
    else:
        report(QUICK if "--quick" in arguments else FULL, ["sqlite", "postgresql"], Console())


if __name__ == "__main__":
    main(sys.argv[1:])
