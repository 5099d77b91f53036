"""Reading the whole log, decoded to event objects."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.domain import account_events
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import peer_bank
from benchmarks.place import Place, seeded_log, store_in
from benchmarks.raw import read_all


def account_log(place: Place, count: int) -> str:
    """A log of accounts, filled once for a whole run."""
    return seeded_log(place, f"accounts {count}", lambda: account_events(count))


@contextmanager
def whole_log(place: Place, effort: Effort) -> Iterator[Contest]:
    url = account_log(place, effort.log_events)
    with ExitStack() as stack:
        store = stack.enter_context(store_in(url))
        raw = stack.enter_context(closing(place.raw(url)))
        peer = stack.enter_context(peer_bank(place))
        peer.seed(effort.log_events // 4)
        yield Contest(
            Contestant(lambda _: sum(1 for _ in store.read_log()), fixed=True),
            Contestant(lambda _: sum(1 for _ in read_all(raw)), fixed=True),
            Contestant(lambda _: sum(1 for _ in peer.read()), fixed=True),
        )


BENCHMARKS = [
    Benchmark("read", "read the whole log, decoded", "events/s", whole_log, {"sqlite": 0.85, "postgresql": 0.85})
]
