"""One row of a read model as it was at a moment, in a long log: only the events that touch it are read."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.conditions import tagged_log
from benchmarks.domain import EVENTS, Balance, Subscribed, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place
from benchmarks.read import account_log
from eventfold import Application, Recorded, SqlTable, Struct, by_tag, projection


class Student(Struct, frozen=True):
    student_id: str
    subscriptions: int = 0


@projection("students", key=by_tag("student"))
def students(row: Student | None, recorded: Recorded[Subscribed]) -> Student:
    return Student(recorded.event.student_id, 1 if row is None else row.subscriptions + 1)


def asking(app: Application, model: type[Any], keys: list[str], head: int) -> Contestant:
    """Asks for a row as it was at some position in the later half of the log."""
    chance = random.Random(11)

    def run(count: int) -> int:
        for _ in range(count):
            query = app.query(model).as_of(position=chance.randrange(head // 2, head))
            assert query.get(chance.choice(keys)) is not None
        return count

    return Contestant(run)


@contextmanager
def by_stream(place: Place, effort: Effort) -> Iterator[Contest]:
    """A key is a stream of about a hundred events."""
    with application(account_log(place, effort.tagged_events)) as app:
        keys = [str(n) for n in range(max(2, effort.tagged_events // 100))]
        yield Contest(asking(app, Balance, keys, app.store.head()))


@contextmanager
def by_its_tag(place: Place, effort: Effort) -> Iterator[Contest]:
    """A key is a tag of ten events."""
    url = tagged_log(place, effort.tagged_events)
    with Application(url, projections=[students.into(SqlTable("students"))], events=EVENTS, migrate=True) as app:
        keys = [str(n) for n in range(max(1, effort.tagged_events // 10))]
        yield Contest(asking(app, Student, keys, effort.tagged_events))


WHERE = "one row as of a moment, in a long log"
BENCHMARKS = [
    Benchmark("as-of-stream", f"{WHERE}: found by its stream", "ms", by_stream, owed_ms=10),
    Benchmark("as-of-tag", f"{WHERE}: found by its tag", "ms", by_its_tag, owed_ms=10),
]
