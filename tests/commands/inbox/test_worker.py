"""Consumer processes share the partitions of a channel, and take over from one that is gone."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from commands.brokers.broker import Delivery
from commands.brokers.memory import MemoryBroker
from commands.inbox.leases import Leases
from commands.inbox.memory_table import MemoryInbox
from commands.inbox.opening import inbox_table
from commands.inbox.table import InboxTable
from eventfold import Consuming, Inbox, Message, consumes
from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase
from tests.commands.inbox.orders import Faults, OrderPlaced, placed, shipped, shipping


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def leases(table: InboxTable, name: str, seconds: float = 10.0) -> Leases:
    return Leases(table, "shipping", "orders", name, seconds)


def test_partitions_are_shared_evenly_and_handed_over(backend: Backend) -> None:
    for table in (inbox_table(backend.sql), MemoryInbox()):
        one, other = leases(table, "one"), leases(table, "other")

        assert one.keep(5) == {0, 1, 2, 3, 4}
        assert other.keep(5) == set()
        assert one.keep(5) == {0, 1, 2}
        assert other.keep(5) == {3, 4}

        one.release()
        assert other.keep(5) == {0, 1, 2, 3, 4}


def test_the_partitions_of_one_that_is_silent_are_taken_over(backend: Backend) -> None:
    table = inbox_table(backend.sql)
    leases(table, "gone", seconds=0.2).keep(3)
    other = leases(table, "other")

    wait_until(lambda: len(other.keep(3)) == 3)


@pytest.mark.postgresql
def test_consumers_that_take_long_let_no_lease_lapse(postgres_url: str) -> None:
    begun, ends = threading.Event(), threading.Event()

    @consumes(group="shipping")
    def ship(message: OrderPlaced) -> None:
        begun.set()
        ends.wait()

    broker = MemoryBroker(partitions=2)
    asyncio.run(broker.publish([placed(number, f"k-{number}") for number in range(8)]))
    consuming = Consuming(parallel=1)
    with (
        Inbox(postgres_url, consumers=[ship], broker=broker, consuming=consuming, migrate=True) as inbox,
        inbox._table._database.engine.connect() as connection,  # type: ignore[attr-defined]  # it is not in memory
    ):
        worker = inbox.worker()
        worker._lease_seconds = 0.5
        with worker:
            begun.wait(30)
            first = until(connection)
            wait_until(lambda: until(connection) > first)  # while every thread for consumers is taken
            ends.set()


def until(connection: Connection) -> int:
    """When the first lease ends."""
    return int(connection.exec_driver_sql("SELECT min(owned_until) FROM eventfold_inbox_leases").scalar_one())


def test_several_workers_handle_each_message_once(url: str, backend: Backend, database: SqlDatabase) -> None:
    broker = MemoryBroker(partitions=4)
    asyncio.run(broker.publish([placed(number, f"k-{number % 9}") for number in range(200)]))
    with Inbox(url, consumers=[shipping(Faults())], broker=broker) as inbox, inbox.worker(), inbox.worker():
        wait_until(lambda: len(shipped(database)) >= 200)

    numbers = shipped(database)
    assert sorted(numbers) == list(range(200))
    for key in range(9):
        of_key = [each for each in numbers if each % 9 == key]
        assert of_key == sorted(of_key)


def test_a_message_is_retried_by_itself_when_its_time_has_come(
    url: str, backend: Backend, database: SqlDatabase
) -> None:
    faults, broker = Faults(), MemoryBroker(partitions=1)
    faults.left[1] = 2
    asyncio.run(broker.publish([placed(1, "a"), placed(2, "a")]))
    with Inbox(url, consumers=[shipping(faults)], broker=broker) as inbox, inbox.worker():
        wait_until(lambda: shipped(database) == [1, 2])
        wait_until(lambda: inbox.messages() == [])


def test_groups_do_not_notice_each_other() -> None:
    class Said(Message, channel="said"):
        number: int

    seen: list[str] = []

    @consumes
    def one(message: Said) -> None:
        seen.append("one")

    @consumes
    def other(message: Said) -> None:
        seen.append("other")

    broker = MemoryBroker(partitions=1)
    asyncio.run(broker.publish([placed(1, "a", type="Said", channel="said", schema=None, data=b'{"number":1}')]))
    with Inbox("memory://", consumers=[one, other], broker=broker) as inbox, inbox.worker():
        wait_until(lambda: len(seen) == 2)

    assert sorted(seen) == ["one", "other"]


class Growing(MemoryBroker):
    """To whose channel a partition is added, as can be done with Kafka."""

    more = 0

    async def partitions(self, channel: str) -> int:
        return 1 + self.more

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> Any:
        return await super().subscribe(channel if partition == 0 else f"{channel}-{partition}", 0, group, after)


def test_partitions_that_are_added_are_read(url: str, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.inbox.channel_reader.COUNT_SECONDS", 0.0)
    broker = Growing(partitions=1)
    consumer = shipping(Faults())
    with Inbox(url, consumers=[consumer], broker=broker) as inbox:
        worker = inbox.worker()
        worker._lease_seconds = 0.5
        with worker:
            asyncio.run(broker.publish([placed(1, "a"), placed(2, "a", channel="orders-1")]))
            wait_until(lambda: shipped(database) == [1])
            broker.more = 1

            wait_until(lambda: shipped(database) == [1, 2])


class GivingUp(MemoryBroker):
    """Whose client cancels by itself what it is asked for, once each: as that of Kafka does after a restart of the server."""

    def __init__(self) -> None:
        super().__init__(partitions=1)
        self.left = {"partitions", "subscribe", "receive"}

    async def asked(self, what: str) -> None:
        if what in self.left:
            self.left.discard(what)
            given_up = asyncio.ensure_future(asyncio.Event().wait())
            given_up.cancel()
            await given_up

    async def partitions(self, channel: str) -> int:
        await self.asked("partitions")
        return await super().partitions(channel)

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> Any:
        await self.asked("subscribe")
        subscription = await super().subscribe(channel, partition, group, after)
        receive = subscription.receive

        async def receive_or_not(limit: int, wait_seconds: float) -> list[Delivery]:
            await self.asked("receive")
            return await receive(limit, wait_seconds)

        subscription.receive = receive_or_not  # type: ignore[method-assign]  # of this one alone
        return subscription


def test_a_client_that_gives_up_what_it_was_asked_for_ends_no_reader(url: str, database: SqlDatabase) -> None:
    broker = GivingUp()
    asyncio.run(broker.publish([placed(1, "a")]))
    with Inbox(url, consumers=[shipping(Faults())], broker=broker) as inbox, inbox.worker():
        wait_until(lambda: shipped(database) == [1])

    assert broker.left == set()


def test_whatever_fails_beside_the_readers_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    left, seen = {"open", "close", "prune"}, threading.Event()

    def fail_once(what: str) -> None:
        if what in left:
            left.discard(what)
            raise ValueError(what)

    class Closing(MemoryBroker):
        async def close(self) -> None:
            fail_once("close")

    @consumes(group="shipping")
    def ship(message: OrderPlaced) -> None:
        seen.set()

    def opened() -> MemoryBroker:
        fail_once("open")
        return broker

    broker = Closing(partitions=1)
    monkeypatch.setattr("commands.inbox.worker.prune", lambda *_: fail_once("prune"))
    monkeypatch.setattr("commands.inbox.worker.PRUNE_SECONDS", 0.01)
    with Inbox("memory://", consumers=[ship], broker=opened) as inbox, inbox.worker() as worker:
        wait_until(lambda: not left or not worker.running)
        asyncio.run(broker.publish([placed(1, "a")]))
        wait_until(lambda: seen.is_set() or not worker.running)

    assert seen.is_set()


def test_a_broker_that_cannot_be_opened_is_told_to_who_consumes_in_this_thread() -> None:
    def opened() -> MemoryBroker:
        raise ValueError("no secret")

    @consumes(group="shipping")
    def ship(message: OrderPlaced) -> None: ...

    with Inbox("memory://", consumers=[ship], broker=opened) as inbox:
        for consume in (inbox.worker().run, inbox.worker().run_once):
            with pytest.raises(ValueError, match="no secret"):
                consume()
