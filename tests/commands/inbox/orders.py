"""A channel of orders for the tests of the inbox, and a shipping department that keeps rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import text

from commands.brokers.broker import Delivery
from commands.cloud_event import CloudEvent
from commands.inbox.chain import Chain, ConsumerMiddleware
from commands.inbox.consumer import Consumer
from commands.inbox.effects import Reach
from commands.inbox.group import groups_of
from commands.inbox.handling import Handling
from commands.inbox.opening import inbox_table
from commands.inbox.parts import Parts
from commands.inbox.retrying import Retrying
from eventfold import Message, Received, RetryPolicy, consumes
from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase

AT_ONCE = RetryPolicy(attempts=3, base_seconds=0.0, max_seconds=0.0)


class OrderPlaced(Message, channel="orders"):
    order: str
    number: int


class OrderCancelled(Message, channel="orders"):
    order: str


def placed(number: int, key: str, **changes: Any) -> CloudEvent:
    """The message of this number."""
    data = msgspec.json.encode(OrderPlaced(key, number))
    event = CloudEvent(f"m-{number}", "/shop", "OrderPlaced", data, "orders", key, 1_000, schema="OrderPlaced/1")
    return msgspec.structs.replace(event, **changes)


def delivered(events: Iterable[CloudEvent], first: int = 1) -> list[Delivery]:
    """As a broker delivers them, from this position on."""
    return [Delivery(str(position), each.data, each) for position, each in enumerate(events, first)]


class Faults:
    """Which messages a consumer fails on, and how often still."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}
        self.kind: type[BaseException] = RuntimeError

    def strike(self, number: int) -> None:
        if self.left.get(number, 0) > 0:
            self.left[number] -= 1
            raise self.kind(f"no room for {number}")


def shipping(faults: Faults, **options: Any) -> Consumer[..., Any]:
    """A consumer that keeps a row for each order, and strikes the faults after it has written."""

    @consumes(**{"group": "shipping", "retry": AT_ONCE, **options})
    def ship(message: OrderPlaced, received: Received) -> None:
        row = {"key": message.order, "number": message.number}
        received.connection.execute(text("INSERT INTO shipments (key, number) VALUES (:key, :number)"), row)
        faults.strike(message.number)

    return ship


class Desk:
    """One lane of an inbox in a database, as one process has it."""

    def __init__(
        self,
        backend: Backend,
        consumers: Sequence[Consumer[..., Any]],
        *,
        partition: int = 0,
        reach: Reach | None = None,
        middleware: Sequence[ConsumerMiddleware] = (),
        parts: Parts | None = None,
    ) -> None:
        (group,) = groups_of(consumers)
        self.table = inbox_table(backend.sql)
        self.handling = Handling(self.table, group, partition, reach or Reach(), Chain(middleware), parts)
        self.lane = self.handling.lane
        self._retrying = Retrying(self.table, group, self.lane, reach or Reach(), Chain(middleware))

    def handle(self, deliveries: Sequence[Delivery]) -> str | None:
        """Begins where the lane stands, and handles; where it stands then."""
        self.handling.begin()
        self.handling.handle(deliveries)
        return self.position

    @property
    def position(self) -> str | None:
        return self.handling.begin()

    @property
    def aside(self) -> list[tuple[str, int]]:
        """The first messages of their keys that are set aside, and how many follow them."""
        return [(each.delivery.position, behind) for each, behind in self.table.heads(100, 0)]

    def retry_due(self) -> float | None:
        return self._retrying.retry_due()

    def retry_all(self) -> None:
        for each, _ in self.table.heads(100, 0):
            self._retrying.retry(each)


def shipped(database: SqlDatabase, where: Callable[[int], bool] = lambda _: True) -> list[int]:
    """The numbers of the shipments, in the order in which they were made."""
    with database.reading() as connection:
        return [
            number
            for (number,) in connection.execute(text("SELECT number FROM shipments ORDER BY row"))
            if where(number)
        ]


def make_shipments(database: SqlDatabase) -> None:
    identity = (
        "INTEGER PRIMARY KEY AUTOINCREMENT" if database.dialect == "sqlite" else "bigint GENERATED ALWAYS AS IDENTITY"
    )
    with database.transaction() as connection:
        connection.execute(text(f"CREATE TABLE shipments (row {identity}, key text, number integer)"))
