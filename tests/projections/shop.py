"""A small shop for the tests of the read side: two projections over one log, and their straight fold."""

from collections.abc import Iterable
from typing import Any

from eventfold import Application, Event, EventStore, Recorded, SqlTable, Struct, open_store, projection, replace
from eventfold.migrations import migrate
from projections import BoundProjection, Engine, MemoryTable, Projection
from projections.parked import Poison
from projections.partition import Partition


class Added(Event):
    amount: int


class Moved(Event):
    other: str
    amount: int


class Closed(Event):
    pass


class Noise(Event):
    pass


ShopEvent = Added | Moved | Closed


class Stock(Struct, frozen=True):
    item: str
    amount: int = 0
    steps: int = 0
    note: str | None = None


def both(recorded: Recorded[Any]) -> list[str]:
    event = recorded.event
    return [recorded.stream_id, event.other] if isinstance(event, Moved) else [recorded.stream_id]


@projection("stock", key=both)
def stock(row: Stock | None, recorded: Recorded[ShopEvent]) -> Stock | None:
    """A row for each item; a move touches two of them, and closing an item deletes its row."""
    match recorded.event:
        case Closed():
            return None
        case Added(amount):
            row = row or Stock(recorded.stream_id)
            return replace(
                row, amount=row.amount + amount, steps=row.steps + 1, note=None if amount % 2 else str(amount)
            )
        case Moved(other, amount):
            if row is None:
                return None
            change = -amount if row.item != other else amount
            return replace(row, amount=row.amount + change, steps=row.steps + 1)


class Total(Struct, frozen=True):
    bucket: int
    events: int = 0
    amount: int = 0


@projection("totals", key=lambda recorded: recorded.event.amount % 7)
def totals(row: Total | None, recorded: Recorded[Added | Moved]) -> Total | None:
    event = recorded.event
    row = row or Total(event.amount % 7)
    return replace(row, events=row.events + 1, amount=row.amount + event.amount)


EVENTS = (Added, Moved, Closed, Noise)
STANDS_STILL = Poison(attempts=None)


def straight(folded: Projection[Any], events: Iterable[Recorded[Any]]) -> dict[Any, Any]:
    """What the rows must be: one event after the other, without batches, caches or a database."""
    rows: dict[Any, Any] = {}
    for recorded in events:
        if isinstance(recorded.event, folded.events):
            named = folded.key(recorded) if folded.key else recorded.stream_id
            for key in dict.fromkeys(named if isinstance(named, list) else [named]):
                row = folded.function(rows.get(key), recorded, *[key] * folded.takes_key)
                rows.pop(key, None) if row is None else rows.update({key: row})
    return rows


def bindings(target: Any = SqlTable) -> list[BoundProjection[Any]]:
    return [stock.into(target("stock")), totals.into(target("totals"))]


def divided(partitions: int = 2) -> list[BoundProjection[Any]]:
    """Both projections, so that several workers can keep each of them."""
    return [each.into(SqlTable(each.name), partitions=partitions) for each in (stock, totals)]


def open_shop(url: str) -> EventStore:
    store = open_store(url, events=EVENTS, migrate=True)
    migrate(store)
    return store


def open_engine(store: EventStore, *, batch_size: int = 5000) -> Engine:
    return Engine(store, bindings(MemoryTable if store.backend.sql is None else SqlTable), batch_size=batch_size)


def open_app(url: str, projections: Iterable[BoundProjection[Any]] | None = None) -> Application:
    chosen = bindings(MemoryTable if url.startswith("memory") else SqlTable) if projections is None else projections
    return Application(url, projections=chosen, events=EVENTS, migrate=True)


def rows_of(engine: Engine, name: str) -> dict[Any, Any]:
    """The rows of a projection's live generation by key."""
    track = engine.find(name)[0]
    live = next(each.number for each in track.target.generations() if each.state == "live")
    key = track.projection.model.key.name
    with track.target.rows(live) as rows:
        return {getattr(row, key): row for row in rows}


def position_of(engine: Engine, name: str) -> int:
    return next(each.position for each in engine.find(name)[0].target.generations() if each.state == "live")


def assert_straight(store: EventStore, engine: Engine) -> None:
    """Every table equals the straight fold of the log up to the table's checkpoint."""
    for each in (stock, totals):
        events = store.read_log(up_to=position_of(engine, each.name))
        assert rows_of(engine, each.name) == straight(each, events)


def fill(store: EventStore, count: int, *, seed: int = 0) -> None:
    """Appends events that touch few items often."""
    for i in range(seed, seed + count):
        item = f"item-i{i * 7919 % 5}"
        event = (Added(i % 11), Moved(f"i{i * 31 % 5}", i % 3), Added(i % 4), Noise(), Closed())[i * 104729 % 13 % 5]
        store.append(item, [event])


def positions(engine: Engine) -> list[int]:
    """Where each partition of each live generation stands."""
    lives = [next(each for each in track.target.generations() if each.state == "live") for track in engine.tracks]
    return [each.position for live in lives for each in live.checkpoints]


def assert_each_partition_straight(store: EventStore, engine: Engine) -> None:
    """The rows of each partition of each generation, be it live, retired or half built, belong to its checkpoint."""
    for track in engine.tracks:
        for info in track.target.generations():
            with track.target.rows(info.number) as found:
                rows = {getattr(row, track.projection.model.key.name): row for row in found}
            for at in info.checkpoints:
                holds = Partition(at.partition, len(info.checkpoints)).holds
                folded = straight(track.projection, store.read_log(up_to=at.position))
                assert {k: v for k, v in rows.items() if holds(k)} == {k: v for k, v in folded.items() if holds(k)}, (
                    info
                )


def assert_counted_once(store: EventStore, engine: Engine) -> None:
    """No event was folded twice, nor left out, into the live rows that have caught up."""
    for track in engine.tracks:
        wanted = [each for each in store.read_log() if isinstance(each.event, track.projection.events)]
        assert track.generation.info.events == len(wanted)


def items_at(store: EventStore, position: int) -> int:
    """How many rows of stock there are when everything up to a position is folded."""
    return len(straight(stock, store.read_log(up_to=position)))
