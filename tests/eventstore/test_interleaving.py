"""Nothing is skipped, repeated or reordered, however commits interleave: 100,000 appends in these two tests.

Appender threads and tasks on several stores write groups and batches. Holders keep transactions with appends open
across the others' commits, and then commit them, roll them back, or have their session or their process killed.
Readers follow meanwhile. In the end, every reader must have seen exactly what is in the log.
"""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import psycopg
import pytest

from eventstore import Event, EventStore, StreamAppend, WrongExpectedVersion, open_store, subscribe
from eventstore.backend import LogFilter
from tests.eventstore.forked import processes
from tests.eventstore.victim import hold_until_killed

STREAMS = 200
PAUSE_SECONDS = 0.01


class Counted(Event):
    n: int


class Plan(NamedTuple):
    seed: int
    appends: int
    """By each appender."""
    holds: int
    """By each holder."""
    stores: int = 3
    threads: int = 3
    """That append, on each store."""
    tasks: int = 40
    """That append, on each store."""
    holders: int = 2
    readers: int = 2
    largest: int = 40
    """Events in one append."""


class Run:
    """One log, with everybody who writes to it and reads it."""

    def __init__(self, url: str, plan: Plan, stack: ExitStack) -> None:
        self.url = url
        self.plan = plan
        self.on_a_server = url.startswith("postgres")
        patience: dict[str, Any] = {"busy_seconds": 60.0}  # SQLite's lock is not fair to those who wait for it
        self.stores = [
            stack.enter_context(open_store(url, events=Counted, migrate=True, **patience)) for _ in range(plan.stores)
        ]
        self.appended = 0
        self.committed = 0
        self.fates: dict[str, int] = {"commit": 0, "rollback": 0, "kill": 0}
        self._lock = threading.Lock()
        self._written = threading.Event()

    def go(self) -> list[list[int]]:
        """Lets everybody loose and returns the positions that each reader saw."""
        plan = self.plan
        with ThreadPoolExecutor(64) as pool:
            readers: list[Future[list[int]]] = []
            for i in range(plan.readers):
                store = self.stores[i % plan.stores]
                readers.append(pool.submit(self.read_pages, store, plan.seed + i))
                readers.append(pool.submit(self.follow, store))
            writers = [
                pool.submit(self.append, store, plan.seed * 1000 + 100 * i + j)
                for i, store in enumerate(self.stores)
                for j in range(plan.threads)
            ]
            writers += [
                pool.submit(asyncio.run, self.append_by_tasks(store, plan.seed * 1000 + 100 * i + 50))
                for i, store in enumerate(self.stores)
            ]
            writers += [pool.submit(self.hold, plan.seed * 1000 + 500 + i) for i in range(plan.holders)]
            try:
                for writer in writers:
                    writer.result()
            finally:
                self._written.set()
            return [reader.result() for reader in readers]

    # -- those who write -------------------------------------------------------------------------------------------

    def append(self, store: EventStore, seed: int) -> None:
        for appends in self._choices(seed):
            try:
                store.append_all(appends)
            except WrongExpectedVersion:
                continue
            self._count(appends)

    async def append_by_tasks(self, store: EventStore, seed: int) -> None:
        async def append(seed: int) -> None:
            for appends in self._choices(seed):
                try:
                    await store.append_all_async(appends)
                except WrongExpectedVersion:
                    continue
                self._count(appends)

        async with asyncio.TaskGroup() as group:
            for i in range(self.plan.tasks):
                group.create_task(append(seed + i))

    def _choices(self, seed: int) -> Iterator[list[StreamAppend]]:
        chance = random.Random(seed)
        return (self._choose(chance) for _ in range(self.plan.appends))

    def _choose(self, chance: random.Random) -> list[StreamAppend]:
        names = chance.sample(range(STREAMS), 2 if chance.random() < 0.05 else 1)
        size = chance.randint(1, self.plan.largest) if chance.random() < 0.02 else chance.choice([1, 1, 1, 2])
        events = [Counted(n) for n in range(size)]
        if chance.random() < 0.02:
            return [StreamAppend(f"s-{names[0]}", events, 10**6)]
        return [StreamAppend(f"s-{name}", events) for name in names]

    def hold(self, seed: int) -> None:
        """Keeps transactions open while others commit, and ends each in one of the ways there are."""
        chance = random.Random(seed)
        for i in range(self.plan.holds):
            store = chance.choice(self.stores)
            fate = chance.choice(["commit", "commit", "rollback", "kill"])
            stream = f"held{seed}-{i}"
            if fate == "kill" and not self.on_a_server:
                self._kill_process(stream)
            else:
                self._hold(store, stream, chance, fate)
            with self._lock:
                self.fates[fate] += 1

    def _hold(self, store: EventStore, stream: str, chance: random.Random, fate: str) -> None:
        appends = [
            StreamAppend(stream, [Counted(n) for n in range(chance.randint(1, 5))]) for _ in range(chance.randint(1, 3))
        ]
        engine = store.backend.engine
        assert engine is not None
        with engine.connect().execution_options(writes=True) as connection:  # on SQLite, BEGIN IMMEDIATE
            for each in appends:
                store.append_all([each], connection=connection)
                time.sleep(chance.random() * PAUSE_SECONDS)  # whatever happens meanwhile is part of the test
            if fate == "kill":
                self._kill_session(connection.connection.driver_connection)
                connection.invalidate()
            elif fate == "commit":
                connection.commit()
                for each in appends:
                    self._count([each])
            else:
                connection.rollback()

    def _kill_process(self, stream: str) -> None:
        receiver, sender = processes.Pipe(duplex=False)
        process = processes.Process(target=hold_until_killed, args=(self.url, stream, sender))
        process.start()
        assert receiver.recv() == stream
        process.kill()
        process.join()

    def _kill_session(self, driver: object) -> None:
        assert isinstance(driver, psycopg.Connection)
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [driver.info.backend_pid])

    def _count(self, appends: list[StreamAppend]) -> None:
        with self._lock:
            self.appended += 1
            self.committed += sum(len(each.events) for each in appends)

    # -- those who read --------------------------------------------------------------------------------------------

    def read_pages(self, store: EventStore, seed: int) -> list[int]:
        """Follows with the two calls that every reader is made of, and goes on from the horizon."""
        chance, after, seen = random.Random(seed), 0, []
        while True:
            last_round = self._written.is_set()
            horizon = store.backend.horizon()
            size = chance.randint(1, 1000)
            rows = store.backend.log_page(LogFilter(), after, horizon, size)
            seen += [row[0] for row in rows]
            after = rows[-1][0] if len(rows) == size else max(after, horizon)
            if last_round and after >= horizon:
                return seen
            self._written.wait(chance.random() * PAUSE_SECONDS)

    def follow(self, store: EventStore) -> list[int]:
        """Follows with a subscription."""
        seen: list[int] = []
        with subscribe(store, page_size=500) as subscription:
            while True:
                last_round = self._written.is_set()
                batch = subscription.poll(0.05)
                seen += [recorded.position for recorded in batch.events] if batch is not None else []
                if last_round and batch is None:
                    return seen

    # -- what must hold --------------------------------------------------------------------------------------------

    def check(self, seen: list[list[int]]) -> None:
        log = list(self.stores[0].read_log())
        assert len(log) == self.committed == self.stores[0].backend.count()
        positions = [recorded.position for recorded in log]
        assert positions == sorted(set(positions))
        for reader in seen:
            assert reader == positions
        versions: dict[str, int] = {}
        for recorded in log:
            versions[recorded.stream] = versions.get(recorded.stream, 0) + 1
            assert recorded.version == versions[recorded.stream]
        assert all(self.fates.values()), self.fates


def interleave(url: str, plan: Plan) -> int:
    with ExitStack() as stack:
        run = Run(url, plan, stack)
        run.check(run.go())
        return run.appended


def test_readers_of_postgresql_see_every_event_once_and_in_order(postgres_url: str) -> None:
    plan = Plan(seed=20, appends=420, holds=60)

    assert interleave(postgres_url, plan) >= 50_000


def test_readers_of_sqlite_see_every_event_once_and_in_order(sqlite_url: str) -> None:
    plan = Plan(seed=21, appends=630, holds=20, stores=2, holders=1)

    assert interleave(sqlite_url, plan) >= 50_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_readers_of_postgresql_see_every_event_once_and_in_order_for_longer(postgres_url: str, seed: int) -> None:
    plan = Plan(seed=seed, appends=1500, holds=400, stores=4, holders=4)

    assert interleave(postgres_url, plan) >= 250_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 3))
def test_readers_of_sqlite_see_every_event_once_and_in_order_for_longer(sqlite_url: str, seed: int) -> None:
    plan = Plan(seed=seed, appends=2500, holds=80, stores=2, holders=1)

    assert interleave(sqlite_url, plan) >= 200_000
