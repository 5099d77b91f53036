"""Partitions of one projection: each key in one of them, each of them at a place of its own."""

import random
import uuid
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest

from eventfold import DefinitionError, Event, EventStore, Recorded, SqlTable, projection
from eventstore.token import token_of
from projections import Engine, MemoryTable, NotYetVisible, ProjectionFailed, rebuild, status_of
from projections.partition import partition_of
from projections.query import ModelQuery
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    STANDS_STILL,
    Added,
    ShopEvent,
    Stock,
    assert_straight,
    fill,
    position_of,
    rows_of,
    stock,
    totals,
)


class Colour(str, Enum):  # noqa: UP042 - the older way to write it is a key too
    RED = "red"


def open_parts(store: EventStore, partitions: int = 4, *, batch_size: int = 5000) -> Engine:
    bound = [each.into(SqlTable(each.name), partitions=partitions) for each in (stock, totals)]
    return Engine(store, bound, batch_size=batch_size)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (True, 1),
        (Colour.RED, "red"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=5)))),
        (uuid.UUID(int=7), uuid.UUID("00000000-0000-0000-0000-000000000007")),
    ],
    ids=repr,
)
def test_equal_keys_are_in_one_partition(one: Any, same: Any) -> None:
    assert one == same

    assert [partition_of(one, of) for of in range(1, 50)] == [partition_of(same, of) for of in range(1, 50)]


def test_a_key_stays_in_its_partition_for_all_time() -> None:
    assert [partition_of(key, 8) for key in ("a", "é", "", 7, -1, uuid.UUID(int=1))] == [3, 6, 0, 2, 2, 7]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch_size", [3, 5000])
def test_whatever_partition_is_held_back_the_rows_are_those_of_one_straight_fold(
    store: EventStore, seed: int, batch_size: int
) -> None:
    chance = random.Random(seed)
    partitions, held = chance.randrange(2, 6), set[int]()

    @projection("stock", key=stock.key)
    def halting(row: Stock | None, recorded: Recorded[ShopEvent], item: str) -> Stock | None:
        if partition_of(item, partitions) in held:
            raise ArithmeticError("held back")
        return stock.function(row, recorded)

    bound = [
        halting.into(SqlTable("stock"), partitions=partitions, poison=STANDS_STILL),
        totals.into(SqlTable("totals"), partitions=2),
    ]
    engine = Engine(store, bound, batch_size=batch_size)
    for i in range(6):
        fill(store, 15, seed=seed + i * 15)
        held = {chance.randrange(partitions)}
        engine.step()
        engine.tracks[0].retry_now()
        engine.step()
    apart = {each.position for each in engine.tracks[0].lanes}
    held = set()
    engine.catch_up()

    assert len(apart) > 1
    assert position_of(engine, "stock") == position_of(engine, "totals") == store.head()
    assert_straight(store, engine)


def test_an_event_that_touches_rows_of_several_partitions_is_counted_once(store: EventStore) -> None:
    fill(store, 40)
    whole, parts = open_parts(store, 1), Engine(store, [stock.into(MemoryTable("parts"), partitions=5)])
    whole.catch_up()
    parts.catch_up()

    assert parts.tracks[0].generation.info.events == whole.find("stock")[0].generation.info.events


def test_of_engines_that_move_partitions_at_once_none_applies_anything_twice(open_store: OpenShop) -> None:
    stores = [open_store() for _ in range(3)]
    engines = [open_parts(each, 3, batch_size=4) for each in stores]
    for i in range(25):
        fill(stores[0], 3, seed=i * 3)
        engines[i % 3].step()

    engines[0].catch_up()

    assert_straight(stores[0], engines[1])


def test_other_partitions_of_a_projection_by_stream_are_not_even_decoded(store: EventStore) -> None:
    class Changed(Event, event_type="Added"):
        amount: str

    @projection("texts")
    def texts(row: Stock | None, recorded: Recorded[Changed]) -> Stock | None:
        return Stock(recorded.stream_id, note=recorded.event.amount)

    store.append("item-a", [Added(1)])
    engine = Engine(store, [texts.into(SqlTable("texts"), partitions=2)])

    with pytest.raises(Exception, match="does not fit its declared class"):
        engine.catch_up()

    standing = [(each.position, each.failure is None) for each in engine.tracks[0].lanes]
    own = partition_of("a", 2)
    assert standing[1 - own] == (store.head(), True)
    assert standing[own] == (0, False)
    assert (status_of(store, engine.tracks[0]).state, engine.tracks[0].position) == ("failed", 0)


def test_a_query_waits_for_the_partition_that_is_furthest_behind(store: EventStore) -> None:
    @projection("fragile")
    def fragile(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        if recorded.event.amount == 13:
            raise ArithmeticError("thirteen")
        return Stock(recorded.stream_id, recorded.event.amount)

    other = next(key for key in "bcdefgh" if partition_of(key, 2) != partition_of("a", 2))
    engine = Engine(store, [fragile.into(SqlTable("fragile"), partitions=2)])
    query = ModelQuery[Stock](engine, engine.tracks[0])
    first = token_of(store.append("item-a", [Added(1)]).position)
    assert query.get("a", after=first) == Stock("a", 1)
    store.append("item-a", [Added(13)])
    second = token_of(store.append(f"item-{other}", [Added(2)]).position)

    with pytest.raises((ProjectionFailed, NotYetVisible)):
        query.get(other, after=second, timeout=0.1)

    assert query.get(other, after=second, timeout=0.0, stale=True) == Stock(other, 2)
    assert engine.tracks[0].position == 2 - 1


def test_another_number_of_partitions_holds_from_the_next_rebuild_on(open_store: OpenShop) -> None:
    store = open_store()
    fill(store, 40)
    open_parts(store, 1).catch_up()
    fill(store, 20, seed=40)
    engine = open_parts(open_store(), 3)

    engine.catch_up()
    before = [len(each.lanes) for each in engine.tracks]
    rebuild(engine.store, engine.find("stock")[0])
    fill(store, 20, seed=60)
    engine.catch_up()

    assert before == [1, 1]
    assert [len(each.lanes) for each in engine.tracks] == [3, 1]
    assert position_of(engine, "stock") == store.head()
    assert_straight(store, engine)


@pytest.mark.parametrize("partitions", [0, -1, 257, True, "2", 1.5])
def test_a_number_of_partitions_that_cannot_be_is_an_error(partitions: Any) -> None:
    with pytest.raises(DefinitionError, match="'stock': partitions: expected an integer from 1 to 256, got"):
        stock.into(MemoryTable(), partitions=partitions)


def test_rows_that_a_rule_keeps_apart_are_not_divided() -> None:
    target = SqlTable("stock", unique=["amount"])

    with pytest.raises(DefinitionError, match=r"SqlTable\('stock'\) has a rule over all of its rows, such as unique="):
        stock.into(target, partitions=2)
    assert stock.into(target).partitions == 1


def test_the_rows_of_all_partitions_are_in_one_table(store: EventStore) -> None:
    fill(store, 30)
    engine = open_parts(store, 4)
    engine.catch_up()

    assert len(rows_of(engine, "stock")) > 1
    assert [each.name for each in engine.tracks] == ["stock", "totals"]
