"""Back to the rows before the last rebuild: caught up first, and only by the code that has made them."""

import pytest

from eventfold import EventStore, SqlTable, open_store
from projections import Engine, MemoryTable, RollbackRefused, projection, prune, rebuild, rollback
from tests.projections.shop import EVENTS, assert_straight, fill, open_engine, position_of, rows_of, stock


def states(engine: Engine) -> list[tuple[int, str]]:
    return [(each.number, each.state) for each in engine.find("stock")[0].target.generations()]


def test_the_former_rows_catch_up_and_take_their_place_again(store: EventStore) -> None:
    fill(store, 30)
    engine = open_engine(store)
    engine.catch_up()
    track = engine.find("stock")[0]
    rebuild(store, track)
    fill(store, 20, seed=30)
    engine.catch_up()
    expected = rows_of(engine, "stock")

    folded = rollback(store, track)

    assert 0 < folded <= 20
    assert states(engine) == [(1, "live"), (2, "retired")]
    assert rows_of(engine, "stock") == expected
    fill(store, 10, seed=50)
    engine.catch_up()
    assert position_of(engine, "stock") == store.head()
    assert_straight(store, engine)


def test_a_rollback_is_rolled_back(store: EventStore) -> None:
    fill(store, 10)
    engine = open_engine(store)
    track = engine.find("stock")[0]
    rebuild(store, track)
    rebuild(store, track)

    rollback(store, track)
    rollback(store, track)

    assert states(engine) == [(1, "retired"), (2, "live")]


def test_rows_of_other_code_are_refused_and_nothing_changes(store: EventStore) -> None:
    fill(store, 10)
    open_engine(store).catch_up()
    newer = projection("stock", version=2, key=stock.key)(stock.function)
    engine = Engine(store, [newer.into(SqlTable("stock"))])
    rebuild(store, engine.tracks[0])

    with pytest.raises(RollbackRefused, match=r"generation 1 was made by another version .*; roll the code back first"):
        rollback(store, engine.tracks[0])

    assert states(engine) == [(1, "retired"), (2, "live")]
    older = open_engine(store)
    rollback(store, older.find("stock")[0])
    assert states(older) == [(1, "live"), (2, "retired")]
    assert_straight(store, older)


def test_what_was_pruned_is_gone_and_there_is_no_way_back(store: EventStore) -> None:
    fill(store, 10)
    engine = open_engine(store)
    track = engine.find("stock")[0]
    rebuild(store, track)
    rebuild(store, track)

    dropped = prune(track), prune(track)

    assert dropped == ([1], [])
    assert states(engine) == [(2, "live")]
    with pytest.raises(RollbackRefused, match="there is no former generation"):
        rollback(store, track)


def test_rows_in_memory_go_back_the_same_way() -> None:
    with open_store("memory://", events=EVENTS) as store:
        fill(store, 10)
        engine = Engine(store, [stock.into(MemoryTable("stock"))])
        engine.catch_up()
        rebuild(store, engine.tracks[0])
        fill(store, 10, seed=10)

        rollback(store, engine.tracks[0])

        assert states(engine) == [(1, "live"), (2, "retired")]
        assert position_of(engine, "stock") == store.head()
