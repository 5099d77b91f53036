"""The history of an aggregate of ten thousand events: each with the fields that it changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.domain import Account, Deposited, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place, seeded_log

EVENTS = 10_000


@contextmanager
def ten_thousand(place: Place, _effort: Effort) -> Iterator[Contest]:
    events = (("account-long", n, Deposited(n, f"movement {n}")) for n in range(1, EVENTS + 1))
    with application(seeded_log(place, "history", lambda: events)) as app:

        def run(_count: int) -> int:
            changes = sum(len(step.changes) for step in app.history(Account, "long"))
            assert changes == 2 * EVENTS
            return 1

        yield Contest(Contestant(run, fixed=True))


BENCHMARKS = [Benchmark("history", "history of 10,000 events", "ms", ten_thousand, owed_ms=1_000)]
"""Of a balance and a count of movements: what differs is asked of every field of every step."""
