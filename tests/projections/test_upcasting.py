"""Read models over events of several ages: every event is folded once, whatever it was stored as."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from eventfold import Struct
from eventfold.migrations import migrate
from eventstore import Event, EventStore, JsonObject, Recorded, open_store, upcasts
from projections import Engine, SqlTable, projection
from projections.batch import first_half
from projections.projection import BoundProjection
from projections.rebuild import rebuild


class OldItemsAdded(Event, event_type="ItemsAdded"):
    items: list[int]


class OldCleared(Event, event_type="Wiped"):
    pass


@upcasts("ItemsAdded", 1, into={"ItemAdded": 1, "Counted": 1})
def one_each(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for item in data["items"]:
        yield "ItemAdded", {"item": item}
        yield "Counted", {}


class ItemAdded(Event, upcasters=[one_each]):
    item: int


class Counted(Event, upcasters=[one_each]):
    pass


class Cleared(Event, aliases=["Wiped"]):
    pass


class Basket(Struct, frozen=True):
    basket_id: str
    items: str = ""


@projection("baskets")
def baskets(row: Basket | None, recorded: Recorded[ItemAdded | Cleared]) -> Basket | None:
    row = row or Basket(recorded.stream_id)
    match recorded.event:
        case ItemAdded(item):
            return Basket(row.basket_id, f"{row.items}{item},")
        case Cleared():
            return Basket(row.basket_id)


class Count(Struct, frozen=True):
    basket_id: str
    times: int = 0


@projection("counts")
def counts(row: Count | None, recorded: Recorded[Counted]) -> Count | None:
    return Count(recorded.stream_id, 1 + (row.times if row else 0))


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url) as opened:
        migrate(opened)
        opened.append("basket-1", [OldItemsAdded([1, 2, 3]), ItemAdded(4), OldItemsAdded([])])
        opened.append("basket-2", [OldItemsAdded([8]), OldCleared(), Counted(), OldItemsAdded([9, 9])])
        yield opened


ROWS = [Basket("1", "1,2,3,4,"), Basket("2", "9,9,")], [Count("1", 3), Count("2", 4)]


def bound(*targets: Any) -> list[BoundProjection[Any]]:
    return [each.into(*(target(each.name) for target in targets)) for each in (baskets, counts)]


def rows_of(engine: Engine) -> list[list[Any]]:
    return [sorted(track.generation.fetch(["1", "2"]).rows.values(), key=repr) for track in engine.tracks]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
@pytest.mark.parametrize("alone", [True, False])
def test_however_long_a_batch_is_every_part_of_a_stored_event_is_folded_once(
    store: EventStore, batch_size: int, alone: bool
) -> None:
    models = [[each] for each in bound(SqlTable)] if alone else [bound(SqlTable)]
    found = []
    for each in models:
        engine = Engine(store, each, batch_size=batch_size)
        engine.catch_up()
        found += rows_of(engine)

    assert found == list(ROWS)


def test_a_rebuild_folds_what_was_folded_live(store: EventStore) -> None:
    engine = Engine(store, bound(SqlTable))
    engine.catch_up()

    for track in engine.tracks:
        rebuild(store, track)

    assert rows_of(engine) == list(ROWS)


def test_a_half_of_a_batch_ends_between_two_stored_events(store: EventStore) -> None:
    with open_store("memory://", events=[ItemAdded, Counted]) as log:
        log.append("basket-1", [OldItemsAdded([1, 2, 3]), OldItemsAdded([4]), ItemAdded(5)])
        events = list(log.read_log())

    half = first_half(events)
    assert half == [each for each in events if each.position == 1]
    assert first_half(half) == []
    assert first_half([]) == []
    for _, parts in groupby(events, key=lambda each: each.position):
        whole = list(parts)
        assert first_half(whole) == []
        assert first_half([*whole, events[-1]]) in (whole, [])
