"""The orders: real purchases of CDs, numbered along each customer."""

from collections import Counter

from examples.cdnow.purchases import read_purchases
from examples.orders.order import PlaceOrder


def read_orders(limit: int | None = None) -> list[PlaceOrder]:
    """One order for each purchase, in the order in which they happened.

    Args:
        limit: only the first so many rows of the file.
    """
    counted: Counter[str] = Counter()
    found = []
    for number, each in enumerate(read_purchases(limit), 1):
        counted[each.customer_id] += 1
        found.append(PlaceOrder(f"{number:05}", each.customer_id, counted[each.customer_id], each.cds, each.cents))
    return found
