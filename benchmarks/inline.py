"""Appending what is folded inline: the event, its row and the position in one transaction."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.append import EVENT, in_streams
from benchmarks.domain import Balance, application
from benchmarks.harness import Benchmark, Contest, Effort
from benchmarks.place import Place


@contextmanager
def one(place: Place, _effort: Effort) -> Iterator[Contest]:
    """One event in each transaction."""
    with ExitStack() as stack:
        app = stack.enter_context(application(place.new(), "inline"))
        url = place.new()
        with application(url) as like:  # makes the tables that the floor's are like
            like.query(Balance).count()
        raw = stack.enter_context(closing(place.raw(url)))
        raw.make_balances("balances__g1")

        def append(stream: str, version: int) -> None:
            app.store.append(stream, [EVENT], expected=version)

        def append_raw(stream: str, version: int) -> None:
            raw.append_folded(stream, version + 1, EVENT)

        yield Contest(in_streams(append, 1), in_streams(append_raw, 1))


BENCHMARKS = [
    Benchmark("append-inline", "append 1 event, its row and the position in one transaction", "events/s", one),
]
