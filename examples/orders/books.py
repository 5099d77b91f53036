"""Adds up what each side has, and holds the one against the other."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from eventfold import Application
from examples.orders.order import OrderRow
from examples.orders.shipment import parcels


class Books(NamedTuple):
    """What one side says.

    Attributes:
        orders: how many orders it knows.
        repeated: how many it knows more than once.
        out_of_order: how many came before an earlier one of the same customer.
        cds: in all of them.
        cents: what they cost.
        parcels: how many of them are on their way, by this side's account.
        parcel_sum: of the numbers of the parcels.
    """

    orders: int
    repeated: int
    out_of_order: int
    cds: int
    cents: int
    parcels: int
    parcel_sum: int


def order_books(app: Application) -> Books:
    """What the order service says, from its log by way of its read model."""
    rows = app.query(OrderRow).all(after=_head(app))
    sent = [row.parcel for row in rows if row.parcel is not None]
    numbers = [(row.customer_id, row.number) for row in sorted(rows, key=lambda row: row.order_id)]
    return _books([(row.order_id, row.cds, row.cents) for row in rows], numbers, sent)


def shipping_books(app: Application) -> Books:
    """What the shipping service says, in the order in which the messages came."""
    engine = app.store.backend.engine
    assert engine is not None
    with engine.connect() as connection:
        rows = connection.execute(select(parcels).order_by(parcels.c.parcel)).all()
    numbers = [(row.customer_id, row.number) for row in rows]
    return _books([(row.order_id, row.cds, row.cents) for row in rows], numbers, [row.parcel for row in rows])


def _head(app: Application) -> str:
    from eventstore.token import token_of

    return token_of(app.store.head())


def _books(rows: Sequence[tuple[str, int, int]], numbers: Sequence[tuple[str, int]], sent: Sequence[int]) -> Books:
    orders = Counter(order for order, _, _ in rows)
    last: dict[str, int] = {}
    out_of_order = 0
    for customer, number in numbers:
        out_of_order += number < last.get(customer, 0)
        last[customer] = max(number, last.get(customer, 0))
    cds, cents = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return Books(len(rows), len(rows) - len(orders), out_of_order, cds, cents, len(sent), sum(sent))


def expected_books(orders: Sequence[Any]) -> tuple[int, int, int]:
    """How many orders, CDs and cents there must be, from the commands alone."""
    return len(orders), sum(each.cds for each in orders), sum(each.cents for each in orders)
