"""Loading an aggregate of a thousand events, which lie scattered over the log."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.domain import LARGE_STREAM, Account, application
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import peer_bank
from benchmarks.place import Place
from benchmarks.raw import RawLog, decoders
from benchmarks.read import account_log


def fold(raw: RawLog) -> Account:
    state = Account()
    for name, payload in raw.payloads(LARGE_STREAM):
        state = state.evolve(decoders[name](payload))
    return state


@contextmanager
def thousand(place: Place, effort: Effort) -> Iterator[Contest]:
    url = account_log(place, effort.log_events)
    stream_id = LARGE_STREAM.removeprefix("account-")
    with ExitStack() as stack:
        app = stack.enter_context(application(url))
        raw = stack.enter_context(closing(place.raw(url)))
        peer = stack.enter_context(peer_bank(place))
        large = peer.seed(1000)
        assert app.load(Account, stream_id) == fold(raw)
        yield Contest(
            Contestant(repeat(lambda: app.load(Account, stream_id))),
            Contestant(repeat(lambda: fold(raw))),
            Contestant(repeat(lambda: peer.load(large))),
        )


def repeat(work: Callable[[], object]) -> Callable[[int], int]:
    def run(count: int) -> int:
        for _ in range(count):
            work()
        return count

    return run


BENCHMARKS = [
    Benchmark(
        "load",
        "load an aggregate of 1,000 events",
        "loads/s",
        thousand,
        {"sqlite": 1 / 1.2, "postgresql": 1 / 1.2},
    )
]
