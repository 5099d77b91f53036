"""Several keys of one partition are handled at the same time: each message once in effect, those of a key in order."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from commands.brokers.broker import Delivery
from commands.brokers.memory import MemoryBroker
from commands.inbox.arrival import read_arrival
from commands.inbox.group import groups_of
from commands.inbox.handling import MovedOn
from commands.inbox.memory_table import MemoryInbox
from commands.inbox.parts import Parts
from commands.inbox.table import Lane, Mark
from eventfold import Consuming, Inbox, Received, RetryPolicy, consumes
from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase
from tests.commands.inbox.conftest import opened
from tests.commands.inbox.orders import Desk, Faults, OrderPlaced, delivered, placed, shipped, shipping
from tests.commands.inbox.test_property import InTurn
from tests.commands.inbox.test_worker import wait_until

EIGHT = delivered([placed(number, "ab"[number % 2]) for number in range(1, 9)])


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def in_order(numbers: Sequence[int], keys: int = 2) -> bool:
    of_key = [[each for each in numbers if each % keys == key] for key in range(keys)]
    return all(each == sorted(each) for each in of_key)


def test_a_batch_is_split_by_key_into_parts_about_equally_long() -> None:
    (group,) = groups_of([shipping(Faults())])
    known = [placed(number, key) for number, key in enumerate("aabacad")]
    deliveries = [*delivered(known), Delivery("8", b"\xff", None, "no attribute `id`")]
    arrivals = [read_arrival(group, 0, each) for each in deliveries]

    parts = Parts(2, InTurn()).split(arrivals)

    assert [[each.delivery.position for each in part] for part in parts] == [["1", "2", "4", "6"], ["3", "5", "7"]]


@pytest.mark.postgresql
def test_two_keys_of_one_partition_are_handled_at_the_same_time(postgres_url: str) -> None:
    both, seen = threading.Barrier(2), []

    @consumes
    def ship(message: OrderPlaced) -> None:
        both.wait(30)  # nobody comes past it alone
        seen.append(message.number)

    broker = MemoryBroker(partitions=1)
    asyncio.run(broker.publish([placed(number, "ab"[number % 2]) for number in range(8)]))
    consuming = Consuming(parallel_keys=2)
    with Inbox(postgres_url, consumers=[ship], broker=broker, consuming=consuming, migrate=True) as inbox:
        with inbox.worker():
            wait_until(lambda: [each.position for each in inbox.status()] == ["8"])
        assert inbox.messages() == []

    assert sorted(seen) == list(range(8))
    assert in_order(seen)


def test_a_key_that_fails_waits_aside_alone(
    backend: Backend, database: SqlDatabase, faults: Faults, threads: Executor
) -> None:
    desk = Desk(backend, [shipping(faults)], parts=Parts(3, threads))
    faults.left[3] = 99
    strange = Delivery("9", b"\xff", None, "no attribute `id`")

    desk.handling.begin()
    assert desk.handling.handle([*EIGHT, strange])

    assert desk.position == "9"
    assert sorted(shipped(database)) == [1, 2, 4, 6, 8]
    assert sorted(desk.aside) == [("3", 2), ("9", 0)]
    faults.left.clear()
    desk.retry_due()
    assert shipped(database, lambda number: number % 2 == 1) == [1, 3, 5, 7]


class EndedError(Exception):
    """Ends a process between two of its transactions."""


def test_what_parts_have_done_counts_once_where_the_lane_was_not_moved_any_more(
    backend: Backend, database: SqlDatabase, faults: Faults, threads: Executor
) -> None:
    desk = Desk(backend, [shipping(faults)], parts=Parts(3, threads))
    faults.left[3] = 99

    def ends(*_: object) -> None:
        raise EndedError

    desk.table.move = ends  # type: ignore[method-assign]  # the process ends there
    desk.handling.begin()
    with pytest.raises(EndedError):
        desk.handling.handle(EIGHT)
    assert (desk.position, sorted(shipped(database))) == (None, [1, 2, 4, 6, 8])

    other = Desk(backend, [shipping(Faults())], parts=Parts(3, threads))
    assert other.handle(EIGHT) == "8"

    assert sorted(shipped(database)) == [1, 2, 4, 6, 8]
    assert other.aside == [("3", 2)]
    other.retry_due()
    assert sorted(shipped(database)) == list(range(1, 9))
    assert in_order(shipped(database))


class Between(InTurn):
    """Does something after the first part."""

    def __init__(self, then: Callable[[], object]) -> None:
        self._then = [then]

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future = super().submit(call, *args, **options)
        while self._then:
            self._then.pop()()
        return future


def test_of_two_that_read_one_partition_the_slower_one_stores_nothing_more(
    backend: Backend, database: SqlDatabase
) -> None:
    other = Desk(backend, [shipping(Faults())])
    desk = Desk(backend, [shipping(Faults())], parts=Parts(2, Between(lambda: other.handle(EIGHT))))
    desk.handling.begin()

    with pytest.raises(MovedOn):
        desk.handling.handle(EIGHT)

    assert other.position == "8"
    assert sorted(shipped(database)) == list(range(1, 9))
    assert in_order(shipped(database))


@pytest.mark.parametrize("kind", ["sql", "memory"])
def test_a_lane_is_claimed_by_whoever_knows_where_it_stands(backend: Backend, kind: str) -> None:
    desk = Desk(backend, [shipping(Faults())])
    table, lane = (desk.table if kind == "sql" else MemoryInbox()), Lane("shipping", "orders", 0)
    with table.transaction() as connection:
        table.lock(connection, lane)
        table.move(connection, lane, Mark("3", 1), 0)

    assert [table.claim(lane, 0), table.claim(lane, 1), table.claim(lane, 1)] == [False, True, False]

    with table.transaction() as connection:
        assert table.share(connection, lane) == Mark("3", 2)


def test_a_message_that_comes_under_two_keys_is_handled_once(
    backend: Backend, database: SqlDatabase, threads: Executor
) -> None:
    twice = [placed(1, "a"), placed(2, "b"), placed(2, "c"), placed(1, "d")]
    desk = Desk(backend, [shipping(Faults())], parts=Parts(4, threads))

    assert desk.handle(delivered(twice)) == "4"

    assert sorted(shipped(database)) == [1, 2]


@pytest.mark.postgresql
def test_keys_that_are_in_each_others_way_are_handled_anew_and_not_at_fault(
    postgres_url: str, threads: Executor
) -> None:
    both, calls = threading.Barrier(2), list[int]()

    @consumes(group="shipping", retry=RetryPolicy(attempts=1))
    def ship(message: OrderPlaced, received: Received) -> None:
        received.connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
        mine, other = message.number, 3 - message.number
        received.connection.execute(text(f"UPDATE shipments SET number = number + 1 WHERE key = '{mine}'"))
        calls.append(mine)
        if len(calls) <= 2:
            both.wait(30)  # each has its row, and wants that of the other
        received.connection.execute(text(f"UPDATE shipments SET number = number + 1 WHERE key = '{other}'"))

    with opened(postgres_url) as backend:
        database = backend.sql
        assert database is not None
        with database.transaction() as connection:
            connection.execute(text("INSERT INTO shipments (key, number) VALUES ('1', 0), ('2', 0)"))
        desk = Desk(backend, [ship], parts=Parts(2, threads))

        assert desk.handle(delivered([placed(1, "a"), placed(2, "b")])) == "2"

        assert (shipped(database), desk.aside) == ([2, 2], [])
    assert len(calls) > 2  # the server has taken one of them out of the deadlock, or both
