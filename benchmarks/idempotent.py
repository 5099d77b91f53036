"""Dispatching under an idempotency key: what is kept for it is measured against the same command without one."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.domain import Deposit, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place
from eventfold import Application

ACCOUNTS = 100


def dispatching(app: Application, key_of: Callable[[int], str | None]) -> Contestant:
    calls = itertools.count()

    def run(count: int) -> int:
        for number in itertools.islice(calls, count):
            app.dispatch(Deposit(f"{number % ACCOUNTS}-{number // 1000}", 1), idempotency_key=key_of(number))
        return count

    return Contestant(run)


@contextmanager
def one(place: Place, _effort: Effort) -> Iterator[Contest]:
    """New commands one after the other, each with a key of its own."""
    with ExitStack() as stack:
        keyed, plain = (stack.enter_context(application(place.new())) for _ in range(2))
        yield Contest(dispatching(keyed, lambda number: f"request-{number}"), dispatching(plain, lambda _: None))


BENCHMARKS = [
    Benchmark(
        "idempotent",
        "dispatch a command with an idempotency key, of one without",
        "commands/s",
        one,
        owed={"sqlite": 1 / 1.3, "postgresql": 1 / 1.3},
    ),
]
