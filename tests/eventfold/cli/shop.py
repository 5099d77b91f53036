"""The application that the command line's tests work on: orders with nested values, tags, and two read models."""

import os
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Command,
    Envelope,
    Event,
    Meta,
    Receipt,
    Recorded,
    Rejected,
    ReportingView,
    SnapshotPolicy,
    SqlTable,
    Struct,
    Tag,
    handles,
    projection,
    replace,
)


class Item(Struct, frozen=True):
    name: str
    cents: int


class Address(Struct, frozen=True):
    city: str
    street: str | None = None


class OrderOpened(Event):
    owner: Annotated[str, Tag("customer")]


class ItemAdded(Event):
    item: Item


class ItemsCleared(Event):
    pass


class OrderMoved(Event):
    address: Address


OrderEvent = OrderOpened | ItemAdded | ItemsCleared | OrderMoved


class Order(Aggregate[OrderEvent], snapshots=SnapshotPolicy()):
    owner: str | None = None
    address: Address | None = None
    items: tuple[Item, ...] = ()

    def evolve(self, event: OrderEvent) -> "Order":
        match event:
            case OrderOpened(owner):
                return replace(self, owner=owner)
            case ItemAdded(item):
                return replace(self, items=(*self.items, item))
            case ItemsCleared():
                return replace(self, items=())
            case OrderMoved(address):
                return replace(self, address=address)


class OpenOrder(Command):
    order_id: str
    owner: str
    due: date | None = None


class AddItem(Command):
    order_id: str
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    cents: Annotated[int, Meta(gt=0)] = 100


class ClearItems(Command):
    order_id: str


class MoveOrder(Command):
    order_id: str
    address: Address


@handles
def open_order(order: Order, command: OpenOrder) -> list[OrderEvent]:
    if order.owner is not None:
        raise Rejected(f"order {command.order_id} is open already")
    return [OrderOpened(command.owner)]


@handles
def add_item(order: Order, command: AddItem) -> list[OrderEvent]:
    return [ItemAdded(Item(command.name, command.cents))]


@handles
def clear_items(order: Order, command: ClearItems) -> list[OrderEvent]:
    return [ItemsCleared()] if order.items else []


@handles
def move_order(order: Order, command: MoveOrder) -> list[OrderEvent]:
    return [OrderMoved(command.address)]


class OrderRow(Struct, frozen=True):
    order_id: str
    owner: str
    cents: int = 0
    moved_at: datetime | None = None


@projection("orders")
def orders(row: OrderRow | None, recorded: Recorded[OrderEvent]) -> OrderRow | None:
    row = row or OrderRow(recorded.stream_id, "nobody")
    match recorded.event:
        case OrderOpened(owner):
            return replace(row, owner=owner)
        case ItemAdded(item):
            return replace(row, cents=row.cents + item.cents)
        case ItemsCleared():
            return replace(row, cents=0)
        case OrderMoved():
            return replace(row, moved_at=recorded.occurred_at)


class Sold(Struct, frozen=True):
    name: str
    times: int = 0


@projection("sold", key=lambda recorded: recorded.event.item.name)
def sold(row: Sold | None, recorded: Recorded[ItemAdded]) -> Sold | None:
    row = row or Sold(recorded.event.item.name)
    return replace(row, times=row.times + 1)


class Spending(Struct, frozen=True):
    owner: str
    cents: int


SPENT = "SELECT owner, sum(cents) AS cents FROM {orders} GROUP BY owner"

PARTS: dict[str, Any] = {
    "handlers": [open_order, add_item, clear_items, move_order],
    "projections": [orders.into(SqlTable("orders", indexes=["owner"])), sold.into(SqlTable("sold"))],
    "views": [
        ReportingView("spending", SPENT, over=[orders], model=Spending),
        ReportingView("spent", SPENT, over=[orders], materialized=True),
    ],
    "name": "shop",
}

app = Application(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db"), **PARTS)


async def stamp(envelope: Envelope, call_next: Callable[[Envelope], Awaitable[Receipt]]) -> Receipt:
    return await call_next(replace(envelope, metadata={"stamped": True}))


async_app = AsyncApplication("sqlite:///shop.db", middleware=[stamp], **PARTS)

not_an_app = 7
