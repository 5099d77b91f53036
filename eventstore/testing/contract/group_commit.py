"""Concurrent appends: they may share transactions, and nobody notices but the clock."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest

from eventstore.async_store import AsyncEventStore
from eventstore.errors import AppendConditionFailed, EventfoldError, InvalidEvent, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.new_event import Appended, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn

T = TypeVar("T")


class GroupCommits(StoreCases):
    """Threads and asyncio tasks, alone and mixed."""

    def test_every_thread_gets_its_own_result(self, store: EventStore) -> None:
        results = _at_once(8, lambda n: [store.append(f"account-{n}", [Deposited(i)]) for i in range(20)])

        for n, own in enumerate(results):
            assert [each.versions for each in own] == [{f"account-{n}": i + 1} for i in range(20)]
            for i, each in enumerate(own):
                _assert_is_stored(store, each, f"account-{n}", i + 1, Deposited(i))
        assert store.backend.count() == 160

    def test_threads_that_share_a_stream_get_versions_without_gaps_or_doubles(self, store: EventStore) -> None:
        results = _at_once(8, lambda n: [store.append("account-1", [Deposited(n)] * 3) for _ in range(10)])

        versions = sorted(each.versions["account-1"] for own in results for each in own)
        assert versions == list(range(3, 241, 3))
        assert [each.version for each in store.read_stream("account-1")] == list(range(1, 241))

    def test_a_batch_stays_together_among_concurrent_ones(self, store: EventStore) -> None:
        _at_once(6, lambda n: [store.append("account-1", [Deposited(n), Withdrawn(n)]) for _ in range(10)])

        found = list(store.read_log())
        pairs = list(zip(found[::2], found[1::2], strict=True))
        assert len(pairs) == 60
        assert all(isinstance(first.event, Deposited) for first, _ in pairs)
        assert all(second.event == Withdrawn(first.event.amount) for first, second in pairs)

    def test_of_many_who_begin_a_stream_exactly_one_succeeds(self, store: EventStore) -> None:
        def begin(n: int) -> Appended | WrongExpectedVersion:
            try:
                return store.append("account-1", [Deposited(n)], expected=NO_STREAM)
            except WrongExpectedVersion as error:
                return error

        outcomes = _at_once(8, begin)

        (winner,) = [each for each in outcomes if isinstance(each, Appended)]
        losers = [each for each in outcomes if isinstance(each, WrongExpectedVersion)]
        assert [(each.stream, each.expected, each.actual) for each in losers] == [("account-1", "NO_STREAM", 1)] * 7
        assert store.event(winner.event_ids[0]).version == 1
        assert store.backend.count() == 1

    def test_one_threads_conflict_fails_only_that_thread(self, store: EventStore) -> None:
        store.append("account-0", [Deposited(0)])

        def append(n: int) -> list[object]:
            return [_outcome(partial(_one_of_four, store, n, i)) for i in range(12)]

        outcomes = _at_once(6, append)

        expected = [None, WrongExpectedVersion, AppendConditionFailed, InvalidEvent] * 3
        assert outcomes == [expected] * 6
        assert [store.stream_version(f"account-{n}") for n in range(1, 7)] == [3] * 6
        assert store.stream_version("account-0") == 1
        assert store.backend.count() == 1 + 18

    def test_every_task_gets_its_own_result(self, store: EventStore) -> None:
        async def main() -> list[Appended]:
            log = AsyncEventStore(store)
            return await asyncio.gather(*(log.append(f"account-{n % 10}", [Deposited(n)]) for n in range(200)))

        results = asyncio.run(main())

        for n, each in enumerate(results):
            found = store.event(each.event_ids[0])
            assert (found.stream, found.event) == (f"account-{n % 10}", Deposited(n))
            assert each.versions == {found.stream: found.version}
            assert each.position == found.position
        assert [store.stream_version(f"account-{n}") for n in range(10)] == [20] * 10

    def test_one_tasks_conflict_fails_only_that_task(self, store: EventStore) -> None:
        store.append("account-0", [Deposited(0)])

        async def main() -> Sequence[Any]:
            log = AsyncEventStore(store)
            calls = (
                log.append_all([StreamAppend(f"account-{n}", [Deposited(n)])])
                if n % 2
                else log.append("account-0", [Deposited(n)], expected=NO_STREAM)
                for n in range(40)
            )
            return await asyncio.gather(*calls, return_exceptions=True)

        outcomes = asyncio.run(main())

        assert [type(each) for each in outcomes] == [WrongExpectedVersion, Appended] * 20
        assert store.backend.count() == 1 + 20

    def test_tasks_of_two_event_loops_and_threads_append_together(self, store: EventStore) -> None:
        async def tasks(n: int) -> list[Appended]:
            log = AsyncEventStore(store)
            return await asyncio.gather(*(log.append(f"account-{n}", [Deposited(i)]) for i in range(30)))

        def work(n: int) -> list[Appended]:
            if n % 2:
                return asyncio.run(tasks(n))
            return [store.append(f"account-{n}", [Deposited(i)]) for i in range(30)]

        results = _at_once(4, work)

        for n, own in enumerate(results):
            assert sorted(each.versions[f"account-{n}"] for each in own) == list(range(1, 31))
        assert store.backend.count() == 120

    def test_the_event_loop_stays_free_while_a_task_appends(self, store: EventStore) -> None:
        async def main() -> bool:
            turned = asyncio.Event()
            append = asyncio.create_task(AsyncEventStore(store).append("account-1", [Deposited(1)]))
            asyncio.get_running_loop().call_soon(turned.set)
            await turned.wait()
            was_done = append.done()
            await append
            return was_done

        assert not asyncio.run(main())
        assert store.stream_version("account-1") == 1

    def test_a_cancelled_task_leaves_the_others_alone(self, store: EventStore) -> None:
        async def main() -> Sequence[Any]:
            log = AsyncEventStore(store)
            tasks = [asyncio.create_task(log.append(f"account-{n}", [Deposited(n)])) for n in range(40)]
            await asyncio.sleep(0)  # every task has queued its append now
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        outcomes = asyncio.run(main())

        assert [type(each) for each in outcomes[1::2]] == [Appended] * 20
        assert all(isinstance(each, (asyncio.CancelledError, Appended)) for each in outcomes[::2])
        assert [store.stream_version(f"account-{n}") for n in range(1, 40, 2)] == [1] * 20
        store.append("account-1", [Deposited(1)], expected=1)

    def test_a_group_is_visible_whole_or_not_at_all(self, store: EventStore) -> None:
        done = threading.Event()

        def write(_: int) -> None:
            for _ in range(15):
                store.append_all([StreamAppend(f"account-{n}", [Deposited(1), Deposited(2)]) for n in range(5)])

        def read() -> list[int]:
            counts = []
            while not done.is_set():
                counts.append(len(list(store.read_log(page_size=10_000))) % 10)
            return counts

        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(read)
            try:
                _at_once(3, write)
            finally:
                done.set()
            assert set(reading.result(PATIENCE_SECONDS)) <= {0}

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_a_store_is_closed_only_after_the_appends_under_way(self, store: EventStore, count: int) -> None:
        async def main() -> Sequence[Any]:
            log = AsyncEventStore(store)
            tasks = [asyncio.create_task(log.append(f"account-{n}", [Deposited(n)])) for n in range(count)]
            await asyncio.sleep(0)  # every task has queued its append now
            await log.close()
            return await asyncio.gather(*tasks)

        assert [type(each) for each in asyncio.run(main())] == [Appended] * count


def _one_of_four(store: EventStore, n: int, i: int) -> None:
    """One append that succeeds, and three that fail for different reasons."""
    match i % 4:
        case 0:
            store.append(f"account-{n + 1}", [Deposited(i)])
        case 1:
            store.append("account-0", [Deposited(i)], expected=NO_STREAM)
        case 2:
            store.append("account-0", [Deposited(i)], condition=AppendCondition(Query.of(Deposited)))
        case _:
            store.append("account-0", [Deposited("much")])  # type: ignore[arg-type]  # wrong on purpose


def _outcome(call: Callable[[], None]) -> object:
    try:
        call()
    except EventfoldError as error:
        return type(error)
    return None


def _at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Runs `work(0)` to `work(count - 1)` in threads that start together."""
    start = threading.Barrier(count)

    def run(n: int) -> T:
        start.wait(PATIENCE_SECONDS)
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def _assert_is_stored(store: EventStore, appended: Appended, stream: str, version: int, event: Deposited) -> None:
    (own,) = appended.event_ids
    found = store.event(own)
    assert (found.stream, found.version, found.event, found.position) == (stream, version, event, appended.position)
