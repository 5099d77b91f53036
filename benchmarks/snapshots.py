"""Loading an aggregate of a hundred thousand events that has a snapshot, with fifty events after it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import msgspec

from benchmarks.domain import Account, AccountEvent, Deposited, Withdrawn
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.load import repeat
from benchmarks.place import Place, seeded_log, store_in
from benchmarks.raw import RawLog, decoders
from eventfold import Event, SnapshotPolicy

EVENTS, TAIL = 100_000, 50
STREAM = "kept_account-1"
decode = msgspec.json.Decoder(Account).decode


class KeptAccount(Account, snapshots=SnapshotPolicy()):
    def evolve(self, event: AccountEvent) -> "KeptAccount":
        match event:
            case Deposited(amount):
                return KeptAccount(self.balance + amount, self.movements + 1)
            case Withdrawn(amount):
                return KeptAccount(self.balance - amount, self.movements + 1)


def history() -> Iterator[tuple[str, int, Event]]:
    for n in range(EVENTS):
        yield STREAM, n + 1, Deposited(n, f"movement {n} of the day")


def row_and_tail(raw: RawLog) -> Account:
    version, text = raw.snapshot(STREAM)
    state = decode(text)
    for name, payload in raw.payloads(STREAM, version):
        state = state.evolve(decoders[name](payload))
    return state


@contextmanager
def with_snapshot(place: Place, _effort: Effort) -> Iterator[Contest]:
    url = seeded_log(place, "one long stream", history)
    with ExitStack() as stack:
        store = stack.enter_context(store_in(url))
        if store.load(KeptAccount, "1").snapshot == 0:
            store.snapshots.take(KeptAccount, STREAM)
            store.append(STREAM, [Deposited(n, f"movement {n} of the night") for n in range(TAIL)])
        raw = stack.enter_context(closing(place.raw(url)))
        loaded = store.load(KeptAccount, "1")
        assert (loaded.snapshot, loaded.version) == (EVENTS, EVENTS + TAIL)
        assert msgspec.structs.astuple(loaded.state) == msgspec.structs.astuple(row_and_tail(raw))
        yield Contest(
            Contestant(repeat(lambda: store.load(KeptAccount, "1"))),
            Contestant(repeat(lambda: row_and_tail(raw))),
        )


BENCHMARKS = [
    Benchmark(
        "snapshot",
        "load an aggregate of 100,000 events by snapshot",
        "loads/s",
        with_snapshot,
        {"sqlite": 1 / 1.3, "postgresql": 1 / 1.3},
    )
]
