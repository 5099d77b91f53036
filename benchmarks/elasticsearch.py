"""Projecting into Elasticsearch, against the official client's `parallel_bulk` of the same documents."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec

from benchmarks.domain import EVENTS, Deposited, balances
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place, seeded_log
from eventfold import Application, ElasticsearchIndex

SERVED = "-XX:+UseG1GC"
"""A server that runs fast, in place of one that starts soon."""


class Ours:
    """An application whose index can be made to begin anew."""

    def __init__(self, log: str, url: str) -> None:
        self._log, self._target = log, ElasticsearchIndex("bench-ours", url=url)
        self.app = self._open()

    def begin_anew(self) -> None:
        """No generation, and no index."""
        engine = self.app.store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM eventfold_generations")
            connection.exec_driver_sql("DELETE FROM eventfold_checkpoints")
        (track,) = self.app.engine.tracks
        client: Any = track.target.client  # type: ignore[attr-defined]
        for index in list(client.indices.get(index="bench-ours__*")):
            client.indices.delete(index=index)
        self.close()
        self.app = self._open()
        self.app.engine.tracks[0].generation.fetch(["nobody"])  # makes the index, as the other side has one

    def close(self) -> None:
        self.app.close()

    def catch_up(self, _count: int) -> int:
        self.app.catch_up()
        return self.app.engine.tracks[0].position

    def _open(self) -> Application:
        return Application(self._log, projections=[balances.into(self._target)], events=EVENTS, migrate=True)


class Bare:
    """The client alone, with documents that are made already."""

    def __init__(self, ours: Ours) -> None:
        (track,) = ours.app.engine.tracks
        target: Any = track.target
        self._client = target.client
        live = next(each.number for each in target.generations() if each.state == "live")
        with track.target.rows(live) as rows:
            documents = [msgspec.to_builtins(row) for row in rows]
        self._actions = [
            {
                "_index": "bench-bare",
                "_id": each["account_id"],
                "_version": 1,
                "_version_type": "external",
                "_source": each,
            }
            for each in documents
        ]
        (index,) = self._client.indices.get(index="bench-ours").values()
        self._mappings = index["mappings"]

    def begin_anew(self) -> None:
        """An empty index with the same mapping."""
        self._client.indices.delete(index="bench-bare", ignore_unavailable=True)
        self._client.indices.create(index="bench-bare", mappings=self._mappings)

    def write(self, _count: int) -> int:
        from elasticsearch.helpers import parallel_bulk

        return sum(stored for stored, _ in parallel_bulk(self._client, self._actions))


def one_row_each(count: int) -> Iterator[tuple[str, int, Deposited]]:
    """As many accounts as events, so that there are as many documents."""
    for n in range(count):
        yield f"account-{n}", 1, Deposited(n % 1000, f"movement {n} of the day")


@contextmanager
def catching_up(place: Place, effort: Effort) -> Iterator[Contest]:
    from tests.services.elasticsearch import open_elasticsearch

    count = effort.log_events // 5
    log = seeded_log(place, f"documents {count}", lambda: one_row_each(count))
    with ExitStack() as stack:
        ours = Ours(log, stack.enter_context(open_elasticsearch(SERVED)).url)
        stack.callback(ours.close)
        ours.app.catch_up()
        bare = Bare(ours)
        yield Contest(
            Contestant(ours.catch_up, ours.begin_anew, fixed=True),
            Contestant(bare.write, bare.begin_anew, fixed=True),
        )


BENCHMARKS = [
    Benchmark(
        "elasticsearch",
        "projection into Elasticsearch, catching up",
        "documents/s",
        catching_up,
        {"sqlite": 0.80},
        databases=("sqlite",),
    ),
]
