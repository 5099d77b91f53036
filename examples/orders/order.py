"""Orders, event-sourced: placed by a command, and shipped when the shipping service says so."""

from msgspec import Struct
from msgspec.structs import replace

from eventfold import (
    Aggregate,
    Command,
    Event,
    NewMessage,
    Received,
    Recorded,
    Rejected,
    consumes,
    handles,
    projection,
)
from examples.orders.messages import OrderPlaced, ParcelSent


class Placed(Event, event_type="placed"):
    customer_id: str
    number: int
    cds: int
    cents: int


class Shipped(Event, event_type="shipped"):
    parcel: int


class Order(Aggregate[Placed | Shipped]):
    placed: bool = False
    shipped: bool = False

    def evolve(self, event: Placed | Shipped) -> "Order":
        match event:
            case Placed():
                return replace(self, placed=True)
            case Shipped():
                return replace(self, shipped=True)


class PlaceOrder(Command):
    order_id: str
    customer_id: str
    number: int
    cds: int
    cents: int


class MarkShipped(Command):
    order_id: str
    parcel: int


@handles
def place(order: Order, command: PlaceOrder) -> list[Placed]:
    if order.placed:
        raise Rejected(f"order {command.order_id} is placed already")
    return [Placed(command.customer_id, command.number, command.cds, command.cents)]


@handles
def mark_shipped(order: Order, command: MarkShipped) -> list[Shipped]:
    if not order.placed or order.shipped:
        raise Rejected(f"order {command.order_id} was never placed, or is shipped already")
    return [Shipped(command.parcel)]


def tell_of_order(recorded: Recorded[Placed]) -> NewMessage[OrderPlaced]:
    """Others are told that an order was placed; the orders of one customer arrive in their order."""
    placed = recorded.event
    told = OrderPlaced(recorded.stream_id, placed.customer_id, placed.number, placed.cds, placed.cents)
    return NewMessage(told, key=placed.customer_id)


@consumes("shipping", group="orders")
def note_parcel(message: ParcelSent, received: Received) -> None:
    """Stored with the note that the message was handled: together, or not at all."""
    received.dispatch(MarkShipped(message.order_id, message.parcel))


class OrderRow(Struct, frozen=True):
    order_id: str
    customer_id: str
    number: int
    cds: int
    cents: int
    parcel: int | None = None


@projection("orders", version=1)
def orders(row: OrderRow | None, recorded: Recorded[Placed | Shipped]) -> OrderRow | None:
    match recorded.event:
        case Placed(customer_id, number, cds, cents):
            return OrderRow(recorded.stream_id, customer_id, number, cds, cents)
        case Shipped(parcel):
            return None if row is None else replace(row, parcel=parcel)
