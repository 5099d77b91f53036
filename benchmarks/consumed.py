"""Handling messages that come in, against the same SQL by hand: dedup rows, the consumer's own row, the position behind them."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection

from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place, store_in
from commands.brokers.broker import Delivery
from commands.cloud_event import CloudEvent
from commands.inbox.chain import Chain
from commands.inbox.effects import Reach
from commands.inbox.group import groups_of
from commands.inbox.handling import Handling
from commands.inbox.opening import inbox_table
from commands.inbox.statements import statements
from eventfold import Message, Received, consumes
from eventstore.sql_database import SqlDatabase

BATCH = 100
KEYS = 50


class OrderPlaced(Message, channel="orders"):
    order_id: str
    total: int


def delivery(number: int) -> Delivery:
    key = f"o-{number % KEYS}"
    data = msgspec.json.encode(OrderPlaced(key, number))
    event = CloudEvent(f"m-{number}", "/shop", "OrderPlaced", data, "orders", key, 0, schema="OrderPlaced/1")
    return Delivery(str(number), data, event)


def ship(connection: Connection, message: OrderPlaced) -> None:
    mark = "?, ?" if connection.dialect.name == "sqlite" else "%s, %s"
    connection.exec_driver_sql(f"INSERT INTO shipments VALUES ({mark})", (message.order_id, message.total))


@consumes(group="shipping")
def consumer(message: OrderPlaced, received: Received) -> None:
    ship(received.connection, message)


def by_hand(database: SqlDatabase) -> Callable[[list[Delivery]], None]:
    """The same statements, written out for this one consumer."""
    sql, decode, moves = statements(database), msgspec.json.Decoder(OrderPlaced).decode, itertools.count()
    lane = "by-hand", "orders", 0

    def handle(deliveries: list[Delivery]) -> None:
        by_id = {each.event.id: each for each in deliveries if each.event is not None}
        ids = json.dumps([("/shop", each) for each in by_id])
        with database.durable() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(sql["lock"], lane)
            cursor.fetchall()
            cursor.execute(sql["handled"], (ids, lane[0]))
            for _, known in cursor.fetchall():
                del by_id[known]
            for each in by_id.values():
                ship(connection, decode(each.body))
            cursor.execute(sql["settle"], (lane[0], 0, ids))
            cursor.execute(sql["move"], (deliveries[-1].position, next(moves), 0, *lane))

    with database.durable() as connection:
        connection.connection.cursor().execute(sql["begin"], lane)
    return handle


def handling(handle: Callable[[list[Delivery]], object]) -> Contestant:
    numbers = itertools.count(1)

    def run(count: int) -> int:
        batches = max(1, count // BATCH)
        for _ in range(batches):
            handle([delivery(number) for number in itertools.islice(numbers, BATCH)])
        return batches * BATCH

    return Contestant(run)


@contextmanager
def batches(place: Place, _effort: Effort) -> Iterator[Contest]:
    """Batches of one partition, one after the other; the message's making is in both."""
    with store_in(place.new()) as store:
        database = store.backend.sql
        assert database is not None
        database.migrator("commands", "commands.migrations").migrate()
        with database.durable() as connection:
            connection.exec_driver_sql("CREATE TABLE shipments (order_id text, total integer)")
        (group,) = groups_of([consumer])
        ours = Handling(inbox_table(database), group, 0, Reach(), Chain())
        ours.begin()
        yield Contest(handling(ours.handle), handling(by_hand(database)))


BENCHMARKS = [
    Benchmark(
        "inbox",
        "handle messages that come in, of the same SQL by hand",
        "messages/s",
        batches,
        owed={"sqlite": 0.6, "postgresql": 0.6},
    ),
]
