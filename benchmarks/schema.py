"""What older events cost: reading through upcasters, and decoding a whole log to see what fails."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.domain import EVENTS
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place, store_in
from benchmarks.read import account_log
from eventfold import Event, JsonObject, open_store, upcasts
from eventstore.codec import Codec
from eventstore.schema.log_check import LogCheck, pages


def with_currency(data: JsonObject) -> JsonObject:
    data["currency"] = "EUR"
    return data


class NewerDeposited(Event, event_type="Deposited", version=2, upcasters=[upcasts("Deposited", 1)(with_currency)]):
    amount: int
    reference: str
    currency: str


class NewerWithdrawn(Event, event_type="Withdrawn", version=2, upcasters=[upcasts("Withdrawn", 1)(with_currency)]):
    amount: int
    reference: str
    currency: str


@contextmanager
def upcasting(place: Place, effort: Effort) -> Iterator[Contest]:
    """The same log, once with an upcaster for every event, and once with the classes that it was stored with."""
    url = account_log(place, effort.log_events)
    with ExitStack() as stack:
        plain = stack.enter_context(store_in(url))
        newer = stack.enter_context(closing(open_store(url, events=[NewerDeposited, NewerWithdrawn], migrate=True)))
        yield Contest(
            Contestant(lambda _: sum(1 for _ in newer.read_log()), fixed=True),
            Contestant(lambda _: sum(1 for _ in plain.read_log()), fixed=True),
        )


@contextmanager
def checking(place: Place, effort: Effort) -> Iterator[Contest]:
    with closing(store_in(account_log(place, effort.log_events))) as store:

        def check(_count: int) -> int:
            work = LogCheck(Codec(EVENTS), {"account": [Codec(EVENTS, strict=True)]})
            for rows in pages(store.backend):
                work.add(rows)
            assert not any(each.failed for each in work.result)
            return sum(each.events for each in work.result)

        yield Contest(Contestant(check, fixed=True))


BENCHMARKS = [
    Benchmark("upcast", "read the whole log, every event upcast (floor: none)", "events/s", upcasting, owed_extra_us=2),
    Benchmark(
        "schema-check",
        "schema check --against-log",
        "events/s",
        checking,
        owed_rate={"sqlite": 100_000},
        databases=("sqlite",),
    ),
]
