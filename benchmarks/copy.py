"""Copying a whole log into another database of the same kind, with the proof; by hand, only reading and writing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place, store_in
from benchmarks.read import account_log
from eventstore.log_copy import copy_log

PAGE = 10_000
"""Rows that the floor reads and stores at once."""


@contextmanager
def whole_log(place: Place, effort: Effort) -> Iterator[Contest]:
    url = account_log(place, effort.log_events)
    fresh: dict[str, Any] = {}

    def ours(_count: int) -> int:
        with store_in(url) as source, store_in(fresh.pop("url")) as target:
            return copy_log(source, target).events_written

    def floor(_count: int) -> int:
        copied = 0
        with closing(place.raw(url)) as source, closing(fresh.pop("raw")) as target:
            while rows := source.page(copied, PAGE):
                target.append_whole(rows)
                copied = rows[-1][0]
        return copied

    def new_url() -> None:
        fresh["url"] = place.new()
        store_in(fresh["url"]).close()

    def new_raw() -> None:
        new_url()
        fresh["raw"] = place.raw(fresh.pop("url"), durable=False)

    yield Contest(Contestant(ours, new_url, fixed=True), Contestant(floor, new_raw, fixed=True))


BENCHMARKS = [Benchmark("copy", "copy a log, and prove it", "events/s", whole_log, owed_rate={"sqlite": 100_000})]
"""The floor proves nothing."""
