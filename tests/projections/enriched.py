"""A shop whose orders are enriched by what is known of their customers, who in turn belong to regions: three stages."""

import random
from collections.abc import Iterable
from typing import Any

from eventfold import Event, EventStore, Recorded, RowLookup, Struct, projection, replace
from projections import Projection


class Moved(Event):
    region: str


class Renamed(Event):
    name: str


class Ordered(Event):
    customer: str
    cents: int


class Closed(Event):
    customer: str


class Region(Struct, frozen=True):
    region: str
    people: int = 0


@projection("regions", key=lambda recorded: recorded.event.region)
def regions(row: Region | None, recorded: Recorded[Moved]) -> Region:
    row = row or Region(recorded.event.region)
    return replace(row, people=row.people + 1)


class Customer(Struct, frozen=True):
    customer: str
    name: str
    region: str | None = None
    neighbours: int = 0


@projection("customers", category="customer", reads=[regions])
def customers(row: Customer | None, recorded: Recorded[Moved | Renamed], lookup: RowLookup) -> Customer | None:
    row = row or Customer(recorded.stream_id, "?")
    match recorded.event:
        case Renamed(name):
            return replace(row, name=name) if name else None
        case Moved(region):
            found = lookup.get(regions, region)
            return replace(row, region=region, neighbours=0 if found is None else found.people)


class Spending(Struct, frozen=True):
    """A row for each region: all of its orders touch it, so that one batch looks up many customers for one row."""

    region: str
    orders: int = 0
    cents: int = 0
    last: str = ""


def region_key(recorded: Recorded[Any]) -> str:
    return f"r{len(recorded.event.customer) % 2}"


@projection("spendings", key=region_key, reads=[customers])
def spendings(
    row: Spending | None, recorded: Recorded[Ordered | Closed], key: str, lookup: RowLookup
) -> Spending | None:
    customer = lookup.get(customers, recorded.event.customer)
    match recorded.event:
        case Closed():
            return None
        case Ordered(_, cents):
            row = row or Spending(key)
            told = "nobody" if customer is None else f"{customer.name} in {customer.region} of {customer.neighbours}"
            return replace(row, orders=row.orders + 1, cents=row.cents + cents, last=f"{row.last[-40:]}|{told}")


EVENTS = (Moved, Renamed, Ordered, Closed)


class Straight:
    """What rows must be: every stage folds each event before the next one looks."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Any, Any]] = {"regions": {}, "customers": {}, "spendings": {}}

    def get(self, projection: Projection[Any], key: Any) -> Any:
        return self.rows[projection.name].get(key)

    def fold(self, events: Iterable[Recorded[Any]]) -> dict[str, dict[Any, Any]]:
        for recorded in events:
            for each in (regions, customers, spendings):
                if not isinstance(recorded.event, each.events) or each.category not in {None, recorded.category}:
                    continue
                key = each.key(recorded) if each.key else recorded.stream_id
                rows = self.rows[each.name]
                more = [*[key] * each.takes_key, *[self] * bool(each.reads)]
                row = each.function(rows.get(key), recorded, *more)
                rows.pop(key, None) if row is None else rows.update({key: row})
        return self.rows


def append_some(store: EventStore, chance: random.Random, count: int) -> None:
    for _ in range(count):
        customer = "c" * chance.randrange(1, 7)
        if chance.randrange(2):
            event: Any = chance.choice(
                [Ordered(customer, chance.randrange(100)), Ordered(customer, 1), Closed(customer)]
            )
            store.append(f"order-{chance.randrange(9)}", [event] * chance.randrange(1, 3))
        else:
            event = chance.choice([Moved(f"r{chance.randrange(3)}"), Renamed(chance.choice(["Ada", "Bob", ""]))])
            store.append(f"customer-{customer}", [event])
