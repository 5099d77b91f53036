"""From a command to its row in the read model: the median of `dispatch` and `query.get(after=token)` together.

Run as a program with a URL, it is the worker in another process.
"""

import itertools
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Literal

from benchmarks.domain import Balance, Deposit, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import Bank, PeerFollower, peer_bank
from benchmarks.place import Place
from eventfold import Application

ACCOUNTS = 100
Surroundings = Callable[[Application, str], ExitStack]


def dispatch_and_see(app: Application) -> Contestant:
    numbers = itertools.count()

    def run(count: int) -> int:
        for number in itertools.islice(numbers, count):
            account = f"a-{number % ACCOUNTS}"
            receipt = app.dispatch(Deposit(account, 1))
            row = app.query(Balance).get(account, after=receipt.token)
            assert row is not None
            assert row.movements == number // ACCOUNTS + 1
        return count

    return Contestant(run)


@contextmanager
def visible(
    place: Place,
    surroundings: Callable[[Application, str], ExitStack],
    consistency: Literal["async", "inline"] = "async",
) -> Iterator[Contest]:
    url = place.new()
    with ExitStack() as stack:
        app = stack.enter_context(application(url, consistency))
        app.query(Balance).count()
        stack.enter_context(surroundings(app, url))
        peer = stack.enter_context(peer_bank(place))
        follower = stack.enter_context(closing(PeerFollower(peer)))

        def follow(count: int) -> int:
            for _ in range(count):
                peer.append(uuid.uuid4(), 0, 1)
                follower.tell()
                follower.balances.view.wait(Bank.name, peer.bank.recorder.max_notification_id(), timeout=5)
            return count

        yield Contest(dispatch_and_see(app), peer=Contestant(follow))


@contextmanager
def in_process(place: Place, _effort: Effort) -> Iterator[Contest]:
    def worker(app: Application, _url: str) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(app.worker())
        return stack

    with visible(place, worker) as contest:
        yield contest


@contextmanager
def other_process(place: Place, _effort: Effort) -> Iterator[Contest]:
    def worker(_app: Application, url: str) -> ExitStack:
        stack = ExitStack()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.latency", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stack.callback(process.communicate)  # closes its input, which ends it
        assert process.stdout is not None
        process.stdout.readline()
        return stack

    with visible(place, worker) as contest:
        yield contest


@contextmanager
def nobody(place: Place, _effort: Effort) -> Iterator[Contest]:
    with visible(place, lambda _app, _url: ExitStack()) as contest:
        yield contest


@contextmanager
def inline(place: Place, _effort: Effort) -> Iterator[Contest]:
    with visible(place, lambda _app, _url: ExitStack(), "inline") as contest:
        yield contest


def work(url: str) -> None:
    """Works until its input ends."""
    with application(url) as app, app.worker():
        print("ready", flush=True)
        sys.stdin.read()


WHERE = "command to visible in the read model, p50"
BENCHMARKS = [
    Benchmark("visible-in-process", f"{WHERE}: worker in this process", "ms", in_process, owed_ms=10),
    Benchmark("visible-other-process", f"{WHERE}: worker in another process", "ms", other_process, owed_ms=10),
    Benchmark("visible-without-worker", f"{WHERE}: no worker", "ms", nobody, owed_ms=10),
    Benchmark("visible-inline", f"{WHERE}: kept inline", "ms", inline, owed_ms=10),
]

if __name__ == "__main__":
    work(sys.argv[1])
