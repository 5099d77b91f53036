"""Appending: alone, a hundred at once, and by many callers at the same time."""

import asyncio
import itertools
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from benchmarks.domain import Deposited
from benchmarks.group_floor import GroupFloor
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import Peer, peer_bank
from benchmarks.place import Place, store_in
from benchmarks.raw import RawLog, new_row, new_rows
from benchmarks.raw_postgresql import INSERT_ONE, texts
from eventfold import EventStore
from eventstore import AsyncEventStore

CALLERS = 32
STREAM_LENGTH = 100
EVENT = Deposited(100, "movement 1 of the day")

Append = Callable[[str, int], object]


def in_streams(append: Append, size: int) -> Contestant:
    """Appends of so many events, a hundred to a stream, each with the version it expects."""
    calls = itertools.count()

    def run(count: int) -> int:
        for _ in range(count):
            number, step = divmod(next(calls), STREAM_LENGTH)
            append(f"account-{number}", step * size)
        return count * size

    return Contestant(run)


def peer_in_streams(peer: Peer, size: int) -> Contestant:
    streams: dict[str, uuid.UUID] = {}

    def append(stream: str, version: int) -> None:
        peer.append(streams.setdefault(stream, uuid.uuid4()), version, size)

    return in_streams(append, size)


@contextmanager
def logs(place: Place) -> Iterator[tuple[EventStore, str, RawLog, Peer]]:
    """Ours, the floor's with its URL, and the peer's: three empty logs."""
    with ExitStack() as stack:
        store = stack.enter_context(store_in(place.new()))
        url = place.new()
        store_in(url).close()
        raw = stack.enter_context(closing(place.raw(url)))
        yield store, url, raw, stack.enter_context(peer_bank(place))


@contextmanager
def one(place: Place, _effort: Effort) -> Iterator[Contest]:
    with logs(place) as (store, _url, raw, peer):
        yield Contest(
            in_streams(lambda stream, version: store.append(stream, [EVENT], expected=version), 1),
            in_streams(lambda stream, version: raw.append_one(stream, version + 1, EVENT), 1),
            peer_in_streams(peer, 1),
        )


@contextmanager
def hundred(place: Place, _effort: Effort) -> Iterator[Contest]:
    events = [Deposited(i, f"movement {i} of the day") for i in range(100)]
    with logs(place) as (store, _url, raw, peer):
        yield Contest(
            in_streams(lambda stream, version: store.append(stream, events, expected=version), 100),
            in_streams(lambda stream, version: raw.append_rows(new_rows(stream, version + 1, events)), 100),
            peer_in_streams(peer, 100),
        )


def in_tasks(runner: asyncio.Runner, append: Callable[[str, int], Awaitable[object]]) -> Contestant:
    """Appends of single events by 32 tasks, each to a stream of its own."""
    runs = itertools.count()

    async def caller(stream: str, count: int) -> None:
        for version in range(count):
            await append(stream, version)

    async def all_callers(count: int) -> None:
        number = next(runs)
        await asyncio.gather(*(caller(f"account-{number}-{i}", count) for i in range(CALLERS)))

    def run(count: int) -> int:
        each = -(-count // CALLERS)
        runner.run(all_callers(each))
        return each * CALLERS

    return Contestant(run)


def in_threads(append: Append, callers: int = CALLERS) -> Contestant:
    """The same by threads."""
    runs = itertools.count()

    def caller(stream: str, count: int) -> None:
        for version in range(count):
            append(stream, version)

    def run(count: int) -> int:
        number, each = next(runs), -(-count // callers)
        threads = [threading.Thread(target=caller, args=(f"account-{number}-{i}", each)) for i in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return each * callers

    return Contestant(run)


def peer_in_threads(peer: Peer) -> Contestant:
    streams: dict[str, uuid.UUID] = {}
    return in_threads(lambda stream, version: peer.append(streams.setdefault(stream, uuid.uuid4()), version, 1))


@contextmanager
def tasks(place: Place, _effort: Effort) -> Iterator[Contest]:
    with logs(place) as (store, _url, raw, peer), asyncio.Runner() as runner, closing(GroupFloor(raw)) as group:
        yield Contest(
            in_tasks(runner, _ours(store)),
            in_tasks(runner, lambda stream, version: group.append_async(new_row(stream, version + 1, EVENT))),
            peer_in_threads(peer),
        )


@contextmanager
def tasks_plain(place: Place, _effort: Effort) -> Iterator[Contest]:
    with logs(place) as (store, url, raw, _peer), asyncio.Runner() as runner, ExitStack() as stack:
        if place.kind == "sqlite":

            async def plain(stream: str, version: int) -> None:  # one writer: handing over would only cost more
                raw.append_one(stream, version + 1, EVENT)
        else:
            pool = runner.run(_connect(url))
            stack.callback(lambda: runner.run(_disconnect(pool)))

            async def plain(stream: str, version: int) -> None:
                cursor = pool[int(stream.rpartition("-")[2])]
                await cursor.execute(INSERT_ONE, texts(new_row(stream, version + 1, EVENT)), prepare=True)

        yield Contest(in_tasks(runner, _ours(store)), in_tasks(runner, plain))


@contextmanager
def threads(place: Place, _effort: Effort) -> Iterator[Contest]:
    with logs(place) as (store, _url, raw, peer), closing(GroupFloor(raw)) as group:
        yield Contest(
            in_threads(lambda stream, version: store.append(stream, [EVENT], expected=version)),
            in_threads(lambda stream, version: group.append(new_row(stream, version + 1, EVENT))),
            peer_in_threads(peer),
        )


def _ours(store: EventStore) -> Callable[[str, int], Awaitable[object]]:
    awaited = AsyncEventStore(store)
    return lambda stream, version: awaited.append(stream, [EVENT], expected=version)


async def _connect(url: str) -> list[Any]:
    import psycopg

    connections = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(CALLERS)]
    return [psycopg.AsyncRawCursor(each) for each in connections]


async def _disconnect(cursors: list[Any]) -> None:
    for cursor in cursors:
        await cursor.connection.close()


BENCHMARKS = [
    Benchmark("append-1", "append, 1 event per transaction", "events/s", one, {"sqlite": 0.90, "postgresql": 0.85}),
    Benchmark("append-100", "append, 100 per transaction", "events/s", hundred, {"sqlite": 0.80, "postgresql": 0.80}),
    Benchmark(
        "append-32-tasks",
        "append, 32 concurrent tasks (floor: group commit)",
        "events/s",
        tasks,
        {"sqlite": 0.80, "postgresql": 0.80},
    ),
    Benchmark("append-32-plain", "append, 32 concurrent tasks (floor: a commit each)", "events/s", tasks_plain),
    Benchmark("append-32-threads", "append, 32 threads (floor: group commit)", "events/s", threads),
]
