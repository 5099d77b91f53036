"""Messages that come in through one partition are handled once in effect, in order, and never hold each other up."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self, cast

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from commands.brokers.broker import Delivery
from commands.errors import PublishFailed
from commands.inbox.effects import Reach
from commands.inbox.handling import MovedOn
from commands.inbox.parts import Parts
from commands.inbox.table import Lane, Mark
from commands.unit_of_work import UnitOfWork
from eventfold import Inbox, NotFound, Received, StoreError, StoreUnavailable, consumes
from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase
from tests.commands.inbox.conftest import opened
from tests.commands.inbox.orders import AT_ONCE, Desk, Faults, OrderPlaced, delivered, placed, shipped, shipping

EIGHT = delivered([placed(number, "ab"[number % 2]) for number in range(1, 9)])


def test_messages_are_handled_in_order_with_the_position_behind_them(backend: Backend, database: SqlDatabase) -> None:
    desk = Desk(backend, [shipping(Faults())])

    assert desk.handle(EIGHT) == "8"

    assert shipped(database) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_is_delivered_again_is_handled_once(backend: Backend, database: SqlDatabase) -> None:
    desk = Desk(backend, [shipping(Faults())])
    desk.handle(EIGHT[:5])

    desk.handle(EIGHT[2:])
    desk.handle(delivered([placed(8, "a"), placed(9, "b"), placed(9, "b")], first=9))

    assert shipped(database) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, asyncio.CancelledError])
def test_a_message_that_fails_waits_aside_with_what_follows_it_and_other_keys_go_on(
    backend: Backend, database: SqlDatabase, faults: Faults, kind: type[BaseException]
) -> None:
    desk = Desk(backend, [shipping(faults)])
    faults.left[3], faults.kind = 99, kind

    assert desk.handle(EIGHT) == "8"
    desk.handle(delivered([placed(9, "b"), placed(10, "a")], first=9))

    assert shipped(database) == [1, 2, 4, 6, 8, 10]
    assert desk.aside == [("3", 3)]


def test_once_a_message_succeeds_what_waited_for_it_follows_in_order(
    backend: Backend, database: SqlDatabase, faults: Faults
) -> None:
    desk = Desk(backend, [shipping(faults)])
    faults.left[3] = 4  # in the batch, its half, its quarter, and alone
    desk.handle(EIGHT)

    assert desk.retry_due() is None
    assert shipped(database, lambda number: number % 2 == 1) == [1, 3, 5, 7]
    assert desk.aside == []


def test_a_message_that_fails_too_often_is_parked_until_somebody_asks_for_it(
    backend: Backend, database: SqlDatabase, faults: Faults
) -> None:
    desk = Desk(backend, [shipping(faults)])
    faults.left[3] = 99
    desk.handle(EIGHT)

    for _ in range(5):
        desk.retry_due()

    assert faults.left[3] == 99 - 4 - (AT_ONCE.attempts - 1)
    ((kept, behind),) = desk.table.heads(10, 0)
    assert (kept.attempts, kept.error, kept.next_try_us, behind) == (3, "RuntimeError: no room for 3", None, 2)
    assert shipped(database) == [1, 2, 4, 6, 8]


def test_what_cannot_be_read_is_set_aside_and_stops_nobody(backend: Backend, database: SqlDatabase) -> None:
    desk = Desk(backend, [shipping(Faults())])
    odd = [
        placed(1, "a", data=b'{"order": 1}'),
        placed(2, "b", data=b"{"),
        placed(3, "c", schema="OrderPlaced/2"),
        placed(4, "d" * 2_000),
        placed(5, "e", id="\0"),
        placed(6, "a"),
        placed(7, "f"),
    ]

    strange = Delivery("8", b"\xff", None, "expected 1.0, got \0 and half a \ud800")

    assert desk.handle([*delivered(odd), strange]) == "8"

    assert shipped(database) == [7]
    assert desk.aside == [("1", 1), ("2", 0), ("3", 0), ("4", 0), ("5", 0), ("8", 0)]
    errors = [str(each.error) for each, _ in desk.table.heads(10, 0)]
    assert errors[0] == "cannot be read as OrderPlaced: number: missing; expected int; order: expected `str`, got 1"
    assert "expected at most version 1 of OrderPlaced, got 2" in errors[2]
    assert errors[5] == r"expected 1.0, got \0 and half a \ud800"


def test_a_key_as_long_as_an_outbox_takes_can_be_read(backend: Backend, database: SqlDatabase) -> None:
    desk = Desk(backend, [shipping(Faults())])

    desk.handle(delivered([placed(1, "🚲" * 255)]))

    assert shipped(database) == [1]


def test_a_failure_may_say_what_no_database_keeps(backend: Backend, faults: Faults) -> None:
    def fail(_received: Received, _call_next: object) -> None:
        raise ValueError("\0 and half a \ud800")

    desk = Desk(backend, [shipping(faults)], middleware=[fail])

    desk.handle(delivered([placed(1, "a")]))

    assert desk.table.heads(1, 0)[0][0].error == r"ValueError: \0 and half a \ud800"


def test_messages_of_types_that_nobody_consumes_are_passed_over(backend: Backend, database: SqlDatabase) -> None:
    desk = Desk(backend, [shipping(Faults())])

    assert desk.handle(delivered([placed(1, "a", type="OrderPraised", data=b"?"), placed(2, "a")])) == "2"

    assert shipped(database) == [2]


def test_of_two_that_read_one_partition_the_slower_one_stores_nothing_and_begins_again(
    backend: Backend, database: SqlDatabase
) -> None:
    one, other = Desk(backend, [shipping(Faults())]), Desk(backend, [shipping(Faults())])
    one.handling.begin()
    other.handling.begin()
    one.handling.handle(EIGHT[:4])

    with pytest.raises(MovedOn):
        other.handling.handle(EIGHT[:6])

    assert other.handling.begin() == "4"
    other.handling.handle(EIGHT[4:6])
    assert shipped(database) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("parallel_keys", [1, 3])
def test_two_that_read_one_partition_at_once_handle_each_message_once_and_in_order(
    backend: Backend, database: SqlDatabase, faults: Faults, parallel_keys: int
) -> None:
    messages = delivered([placed(number, str(number % 5)) for number in range(1, 121)])
    faults.left.update(dict.fromkeys(range(7, 121, 23), 3))
    start, threads = threading.Barrier(2), ThreadPoolExecutor(6)

    def read() -> None:
        desk = Desk(backend, [shipping(faults)], parts=Parts(parallel_keys, threads))
        start.wait()
        while (stands := int(desk.position or 0)) < len(messages):
            begin = max(0, stands - 3)
            try:
                desk.handling.handle(messages[begin : stands + 7])
            except MovedOn:
                continue
            desk.retry_due()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    for each in readers:
        each.join()
    threads.shutdown()
    desk = Desk(backend, [shipping(faults)])
    while desk.aside:
        desk.retry_due()

    assert sorted(shipped(database)) == list(range(1, 121))
    for key in range(5):
        of_key = shipped(database, lambda number, key=key: number % 5 == key)  # type: ignore[misc]
        assert of_key == sorted(of_key)


def test_what_was_set_aside_because_nobody_could_tell_what_it_is_is_handled_once(
    backend: Backend, database: SqlDatabase
) -> None:
    known: dict[str, str] = {}
    desk = Desk(backend, [shipping(Faults(), key=lambda event: known[event.key])])
    desk.handle(delivered([placed(1, "a"), placed(1, "a")]))
    known["a"] = "a"

    desk.handle(delivered([placed(2, "a")], first=3))
    desk.retry_all()
    desk.handle(delivered([placed(1, "a"), placed(2, "a")], first=4))

    assert shipped(database) == [2, 1]
    assert desk.aside == []


def test_a_message_that_comes_through_two_partitions_is_handled_once(backend: Backend, database: SqlDatabase) -> None:
    desks = [Desk(backend, [shipping(Faults())], partition=number) for number in range(2)]

    for each in desks:
        each.handle(delivered([placed(1, "a")]))

    assert shipped(database) == [1]


@pytest.mark.parametrize(("identify", "expected"), [("position", [1, 1]), (lambda event: event.key, [1])])
def test_what_tells_messages_apart_can_be_said(
    backend: Backend, database: SqlDatabase, identify: object, expected: list[int]
) -> None:
    desk = Desk(backend, [shipping(Faults(), identify=identify)])
    twice = delivered([placed(1, "a"), placed(1, "a")])

    desk.handle(twice)
    desk.handle(twice)

    assert shipped(database) == expected


def test_a_consumer_that_ends_its_transaction_has_failed(backend: Backend, database: SqlDatabase) -> None:
    @consumes(group="shipping", retry=AT_ONCE)
    def ship(message: OrderPlaced, received: Received) -> None:
        received.connection.execute(text(f"INSERT INTO shipments (number) VALUES ({message.number})"))
        if message.number == 2:
            received.connection.rollback()

    desk = Desk(backend, [ship])

    assert desk.handle(delivered([placed(1, "a"), placed(2, "b"), placed(3, "a")])) == "3"

    assert shipped(database) == [1, 3]
    ((kept, _),) = desk.table.heads(10, 0)
    assert "leave commit and rollback to the inbox" in str(kept.error)


def test_a_consumer_that_hides_an_error_of_its_sql_stores_nothing_where_the_database_says_so(
    backend: Backend, database: SqlDatabase
) -> None:
    @consumes(group="shipping", retry=AT_ONCE)
    def ship(message: OrderPlaced, received: Received) -> None:
        received.connection.execute(text(f"INSERT INTO shipments (number) VALUES ({message.number})"))
        with suppress(DBAPIError):
            received.connection.execute(text("SELECT nothing FROM nowhere"))

    desk = Desk(backend, [ship])
    desk.handle(EIGHT[:1])

    broken = database.dialect == "postgresql"  # SQLite goes on after such an error
    assert shipped(database) == ([] if broken else [1])
    assert desk.aside == ([("1", 0)] if broken else [])


def test_while_the_database_is_away_no_message_is_at_fault(backend: Backend, database: SqlDatabase) -> None:
    away = [True]

    @consumes(group="shipping", retry=AT_ONCE)
    def ship(message: OrderPlaced, received: Received) -> None:
        if away[0]:
            raise StoreUnavailable("the database of the stock is away")
        received.connection.execute(text(f"INSERT INTO shipments (number) VALUES ({message.number})"))

    desk = Desk(backend, [ship])

    with pytest.raises(StoreError, match="away"):
        desk.handle(EIGHT)
    assert (desk.position, desk.aside) == (None, [])

    away[0] = False
    assert desk.handle(EIGHT) == "8"
    assert len(shipped(database)) == 8


class Unpublishable:
    """A unit of work whose events cannot be stored, since one of them cannot be published."""

    def __enter__(self) -> Self:
        return self

    def append(self, _stream: str, _events: object, **_options: Any) -> None:
        """Takes them."""

    def store(self, _connection: object) -> None:
        """Refuses them."""
        raise PublishFailed("to_message", "Shipped", "order-3", "no address")


def test_a_message_whose_events_cannot_be_stored_is_set_aside_and_stops_nobody(
    backend: Backend, database: SqlDatabase
) -> None:
    @consumes(group="shipping", retry=AT_ONCE)
    def ship(message: OrderPlaced, received: Received) -> None:
        received.connection.execute(text(f"INSERT INTO shipments (number) VALUES ({message.number})"))
        if message.number == 3:
            received.append("order-3", [])

    desk = Desk(backend, [ship], reach=Reach(lambda: cast("UnitOfWork", Unpublishable())))

    assert desk.handle(EIGHT[:6]) == "6"
    desk.retry_due()

    assert shipped(database) == [1, 2, 4, 6]
    ((kept, behind),) = desk.table.heads(10, 0)
    assert (kept.delivery.position, kept.attempts, behind) == ("3", 2, 1)
    assert "no address" in str(kept.error)


@pytest.mark.postgresql
def test_a_consumer_that_breaks_a_constraint_that_is_looked_at_in_the_end_has_failed(postgres_url: str) -> None:
    @consumes(group="shipping", retry=AT_ONCE)
    def ship(message: OrderPlaced, received: Received) -> None:
        number = 2 if message.number == 3 else message.number
        received.connection.execute(text(f"INSERT INTO boxes VALUES ({number})"))

    with opened(postgres_url) as backend:
        database = backend.sql
        assert database is not None
        with database.transaction() as connection:
            connection.execute(text("CREATE TABLE boxes (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        desk = Desk(backend, [ship])

        assert desk.handle(EIGHT[:6]) == "6"
        desk.retry_due()

        with database.reading() as connection:
            assert connection.execute(text("SELECT number FROM boxes ORDER BY 1")).scalars().all() == [1, 2, 4, 6]
        ((kept, behind),) = desk.table.heads(10, 0)
    assert (kept.delivery.position, kept.attempts, behind) == ("3", 2, 1)
    assert "duplicate key" in str(kept.error)


def test_what_comes_while_a_message_is_given_up_is_given_up_with_it_or_handled(
    url: str, backend: Backend, database: SqlDatabase, faults: Faults
) -> None:
    desk, faults.left[1] = Desk(backend, [shipping(faults)]), 99
    desk.handle(EIGHT[:2])
    with Inbox(url, consumers=[shipping(Faults())]) as inbox:
        lock = inbox._table.lock

        def meanwhile(connection: Connection | None, lane: Lane) -> Mark:
            inbox._table.lock = lock  # type: ignore[method-assign]  # as it was
            if database.dialect == "postgresql":  # on SQLite nobody else writes after a transaction has begun
                desk.handle(EIGHT[2:4])
            return lock(connection, lane)

        inbox._table.lock = meanwhile  # type: ignore[method-assign]  # somebody comes in between
        ((kept, _),) = desk.table.heads(10, 0)
        given_up = inbox.discard(kept.number, followers=True)
        desk.handle(EIGHT)

        assert given_up == (2 if database.dialect == "postgresql" else 1)
        assert desk.aside == []
        with pytest.raises(NotFound):
            inbox.discard(kept.number)
