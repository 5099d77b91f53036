"""Parked events: one that a live row cannot take waits aside with its followers of the same key, and all else goes on."""

import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from eventfold import (
    Application,
    DefinitionError,
    Event,
    EventParked,
    EventStore,
    MemoryTable,
    Poison,
    ProjectionFailed,
    Recorded,
    RollbackRefused,
    RowsRefused,
    SqlTable,
    Stale,
    Struct,
    open_store,
    projection,
)
from eventstore.token import token_of
from projections import Engine, ModelQuery, rebuild, rollback, status_of, verify
from projections.mending import parked_of
from projections.target import Change
from projections.targets.memory import BoundMemoryTable, MemoryGeneration
from tests.projections.conftest import OpenShop
from tests.projections.fragile import AT_ONCE, Mood, Pile, assert_apart, bound, fragile
from tests.projections.shop import (
    EVENTS,
    Added,
    Moved,
    Stock,
    assert_straight,
    bindings,
    position_of,
    rows_of,
)


def attempt(engine: Engine, times: int = 1) -> None:
    for _ in range(times):
        engine.tracks[0].retry_now()
        engine.step(engine.tracks[:1])


def test_an_event_at_fault_is_tried_again_and_then_parked_with_its_followers_while_others_go_on(
    store: EventStore,
) -> None:
    mood = Mood()
    store.append("item-a", [Added(1), Added(13), Added(2)])
    store.append("item-b", [Added(3)])
    engine = Engine(store, [bound(mood, store, Poison(attempts=3)), *bindings()])

    attempt(engine, 2)
    standing = status_of(store, engine.tracks[0])
    attempt(engine)
    store.append("item-a", [Added(4)])
    engine.catch_up()

    status = status_of(store, engine.tracks[0])
    assert (standing.state, standing.position, standing.parked) == ("failed", 1, 0)
    assert "position 2, key 'a'" in str(standing.error)
    assert rows_of(engine, "piles") == {"a": Pile("a", 1, "1,"), "b": Pile("b", 3, "1,")}
    found = parked_of(engine.tracks[0])
    assert [(each.key, each.position, each.events, each.attempts) for each in found] == [("a", 2, 3, 3)]
    assert found[0].error == "ArithmeticError: thirteen"
    assert (status.state, status.position, status.lag, status.parked, status.events) == ("parked", 5, 0, 3, 2)
    assert "has parked the events of key 'a' from position 2 on: ArithmeticError: thirteen" in str(status.error)
    assert_straight(store, engine)


def test_catching_up_tries_as_often_as_the_policy_says_and_tells_once_what_it_has_parked(store: EventStore) -> None:
    mood = Mood()
    store.append("item-a", [Added(13)])
    store.append("item-b", [Added(1)])
    engine = Engine(store, [bound(mood, store, Poison(attempts=4))])

    with pytest.raises(
        EventParked, match=r"'piles' has parked the events of key 'a' from position 1 on.*thirteen"
    ) as told:
        engine.catch_up()
    engine.catch_up()

    assert (told.value.position, told.value.key) == (1, "a")
    assert parked_of(engine.tracks[0])[0].attempts == 4
    assert rows_of(engine, "piles") == {"b": Pile("b", 1, "1,")}


def test_an_event_that_is_taken_at_a_later_attempt_is_not_parked(store: EventStore) -> None:
    mood = Mood()
    store.append("item-a", [Added(13)])
    engine = Engine(store, [bound(mood, store, Poison(attempts=3))])

    attempt(engine, 2)
    mood.broken = False
    attempt(engine)

    assert rows_of(engine, "piles") == {"a": Pile("a", 13, "1,")}
    assert parked_of(engine.tracks[0]) == []


def test_the_pauses_between_attempts_grow(store: EventStore) -> None:
    store.append("item-a", [Added(13)])
    engine = Engine(store, [bound(Mood(), store, Poison(attempts=9, pause=0.5))])
    waits = []
    for _ in range(6):
        attempt(engine)
        waits.append(engine.retry_in() or 0.0)

    for wait, most in zip(waits, (0.5, 1.0, 2.0, 4.0, 5.0, 5.0), strict=True):
        assert most - 0.4 < wait <= most


def test_of_an_event_that_touches_two_rows_only_the_key_that_fails_waits(store: EventStore) -> None:
    mood = Mood()
    store.append("item-a", [Added(1), Moved("b", 13), Moved("b", 2)])
    engine = Engine(store, [bound(mood, store)])

    with pytest.raises(EventParked):
        engine.catch_up()

    assert rows_of(engine, "piles") == {"a": Pile("a", 16, "1,2,3,")}
    assert [(each.key, each.position, each.events) for each in parked_of(engine.tracks[0])] == [("b", 2, 2)]
    assert engine.tracks[0].generation.info.events == 3
    assert_apart(mood, store, engine)


@pytest.mark.parametrize("partitions", [1, 3])
def test_an_event_whose_key_cannot_be_told_waits_alone_and_a_rebuild_folds_it(
    store: EventStore, partitions: int
) -> None:
    mood = Mood()

    def key(recorded: Recorded[Added]) -> str:
        if recorded.event.amount == 13 and mood.broken:
            raise KeyError("no such item")
        return recorded.stream_id

    @projection("keyed", key=key)
    def keyed(row: Stock | None, recorded: Recorded[Added]) -> Stock:
        return Stock(recorded.stream_id, recorded.event.amount + (row.amount if row else 0))

    store.append("item-a", [Added(1), Added(13), Added(2)])
    engine = Engine(store, [keyed.into(SqlTable("keyed"), partitions=partitions, poison=AT_ONCE)])

    with pytest.raises(EventParked, match=r"the event at position 2: key= raised KeyError.*mend key= and run"):
        engine.catch_up()
    parked = [(each.key, each.position, each.events) for each in parked_of(engine.tracks[0])]
    rows = rows_of(engine, "keyed")
    mood.broken = False
    rebuild(store, engine.tracks[0])

    assert parked == [(None, 2, 1)]
    assert rows == {"a": Stock("a", 3)}
    assert rows_of(engine, "keyed") == {"a": Stock("a", 16)}
    assert parked_of(engine.tracks[0]) == []


@projection("levels", key=lambda recorded: [recorded.stream_id, f"{recorded.stream_id}-copy"])
def levels(row: Stock | None, recorded: Recorded[Added], item: str) -> Stock:
    """A row of the item, whose amount must be unique, and a copy with another amount."""
    return Stock(item, recorded.event.amount + 1000 * item.endswith("-copy"))


@pytest.mark.parametrize("batch_size", [1, 3, 5000])
def test_a_row_that_the_database_refuses_is_found_and_its_key_parked(store: EventStore, batch_size: int) -> None:
    for item in "abcdefg":
        store.append(f"item-{item}", [Added(ord(item))])
    store.append("item-x", [Added(ord("c"))])
    store.append("item-y", [Added(1)])
    store.append("item-x", [Added(ord("c"))])
    target = SqlTable("levels", unique=["amount"])
    engine = Engine(store, [levels.into(target, poison=Poison(attempts=2, pause=0.0))], batch_size=batch_size)

    with pytest.raises(EventParked, match="the database refuses the row: StoreError"):
        engine.catch_up()

    found = {each.key: (each.position, each.events) for each in parked_of(engine.tracks[0])}
    assert found == {"x": (8, 2), "x-copy": (8, 2)}
    assert sorted(rows_of(engine, "levels"))[:4] == ["a", "a-copy", "b", "b-copy"]
    assert rows_of(engine, "levels")["y"] == Stock("y", 1)
    assert position_of(engine, "levels") == store.head()


def test_of_the_rows_of_one_event_only_the_one_that_the_database_refuses_waits(store: EventStore) -> None:
    store.append("item-a", [Added(5)])
    store.append("item-b", [Added(5 + 1000)])
    engine = Engine(store, [levels.into(SqlTable("levels", unique=["amount"]), poison=AT_ONCE)])

    with pytest.raises(EventParked, match="key 'b'"):
        engine.catch_up()

    assert sorted(rows_of(engine, "levels")) == ["a", "a-copy", "b-copy"]
    assert [each.key for each in parked_of(engine.tracks[0])] == ["b"]
    assert engine.tracks[0].generation.info.events == 1


def test_a_table_that_is_gone_is_nobodys_poison(store: EventStore) -> None:
    engine = Engine(store, [levels.into(SqlTable("levels"), poison=AT_ONCE)])
    engine.catch_up()
    assert store.backend.sql is not None
    with store.backend.sql.transaction() as connection:
        connection.exec_driver_sql("DROP VIEW levels")
        connection.exec_driver_sql("ALTER TABLE levels__g1 RENAME TO elsewhere")

    store.append("item-a", [Added(1)])
    attempt(engine, 3)
    status = status_of(store, engine.tracks[0])

    assert (status.parked, status.position) == (0, 0)
    assert engine.tracks[0].failure is not None


class Picky(MemoryTable):
    """A target that names the keys whose rows it refuses."""

    def bind(self, backend: Any, projection: str, model: Any) -> Any:
        del backend, model
        return BoundPicky(self.name, projection)


class BoundPicky(BoundMemoryTable):
    def generation(self, number: int) -> MemoryGeneration:
        return PickyGeneration(self, number)


class PickyGeneration(MemoryGeneration):
    def apply(self, change: Change) -> bool:
        bad = {key: "too much" for key, row in change.rows.items() if row is not None and row.amount > 99}
        if bad:
            raise RowsRefused("picky", bad)
        return super().apply(change)


@pytest.mark.parametrize("batch_size", [2, 5000])
def test_keys_that_a_target_refuses_by_name_are_parked_and_the_other_rows_of_the_batch_are_written(
    batch_size: int,
) -> None:
    mood = Mood()
    mood.broken = False
    with open_store("memory://", events=EVENTS) as store:
        for item in "abc":
            store.append(f"item-{item}", [Added(100 if item == "b" else 1), Added(2)])
        policy = Poison(attempts=2, pause=0.0)
        engine = Engine(store, [fragile(mood).into(Picky("piles"), poison=policy)], batch_size=batch_size)

        with pytest.raises(EventParked, match="key 'b' from position 3 on: the target refuses the row: too much"):
            engine.catch_up()

        assert rows_of(engine, "piles") == {key: Pile(key, 3, "1,2,") for key in "ac"}
        assert [(each.key, each.events, each.attempts) for each in parked_of(engine.tracks[0])] == [("b", 2, 2)]
        assert engine.tracks[0].generation.info.events == 4


def test_two_targets_of_which_one_has_parked_a_key_go_on_side_by_side(store: EventStore) -> None:
    mood = Mood()
    mood.broken = False
    plain, picky = SqlTable("plain"), Picky("picky")
    engine = Engine(store, [fragile(mood).into(plain, picky, poison=AT_ONCE)])
    store.append("item-a", [Added(200), Added(1)])
    store.append("item-b", [Added(1)])
    with pytest.raises(EventParked):
        engine.catch_up()

    store.append("item-a", [Added(2)])
    store.append("item-b", [Added(2)])
    engine.catch_up()

    rows = [{row.item: row.amount for row in ModelQuery[Pile](engine, track).all()} for track in engine.tracks]
    assert rows == [{"a": 203, "b": 3}, {"b": 3}]


def test_a_rebuild_stops_at_the_event_and_parks_nothing(store: EventStore) -> None:
    store.append("item-a", [Added(1), Added(13)])
    engine = Engine(store, [bound(Mood(), store)])

    with pytest.raises(ProjectionFailed, match="position 2, key 'a': ArithmeticError: thirteen") as stopped:
        rebuild(store, engine.tracks[0])

    assert not isinstance(stopped.value, EventParked)
    assert [each.parked for each in engine.tracks[0].target.generations()] == [0]


def test_another_process_that_has_not_seen_it_parked_does_not_fold_the_followers(open_store: OpenShop) -> None:
    mood = Mood()
    store, elsewhere = open_store(), open_store()
    one, other = Engine(store, [bound(mood, store)]), Engine(elsewhere, [bound(mood, elsewhere)])
    store.append("item-a", [Added(1)])
    one.catch_up()
    other.catch_up()
    store.append("item-a", [Added(13)])
    with pytest.raises(EventParked):
        one.catch_up()
    mood.broken = False

    store.append("item-a", [Added(2)])
    other.catch_up()

    assert rows_of(other, "piles") == {"a": Pile("a", 1, "1,")}
    assert [(each.key, each.events) for each in parked_of(other.tracks[0])] == [("a", 2)]


def test_a_query_says_where_the_write_that_it_asks_for_is_parked(store: EventStore) -> None:
    mood = Mood()
    engine = Engine(store, [bound(mood, store)])
    query = ModelQuery[Pile](engine, engine.tracks[0])
    first = token_of(store.append("item-a", [Added(1)]).position)
    bad = token_of(store.append("item-a", [Added(13)]).position)
    follower = token_of(store.append("item-a", [Added(2)]).position)
    other = token_of(store.append("item-b", [Added(3)]).position)
    with pytest.raises(EventParked):
        engine.catch_up()

    reads: list[Callable[[str], Any]] = [
        lambda token: query.get("a", after=token),
        lambda token: query.all(after=token),
    ]
    for read in reads:
        for token in (bad, follower):
            with pytest.raises(EventParked, match="key 'a' from position 2 on: ArithmeticError: thirteen"):
                read(token)
    assert query.get("a", after=first) == query.get("a", after=follower, stale=True) == Pile("a", 1, "1,")
    assert query.get("b", after=other) == Pile("b", 3, "1,")
    assert query.count(after=other) == 2
    with pytest.raises(EventParked):
        query.get("a", after=other)


def test_whoever_takes_a_stale_answer_is_told_that_the_write_is_parked(store: EventStore) -> None:
    engine = Engine(store, [bound(Mood(), store)])
    query = ModelQuery[Pile](engine, engine.tracks[0])
    first = token_of(store.append("item-a", [Added(1)]).position)
    store.append("item-a", [Added(13)])
    other = token_of(store.append("item-b", [Added(3)]).position)
    follower = token_of(store.append("item-a", [Added(2)]).position)
    with pytest.raises(EventParked):
        engine.catch_up()
    told: list[Stale] = []

    row = query.get("a", after=follower, stale=told.append)
    query.all(after=follower, stale=told.append)
    query.get("a", after=other, stale=told.append)
    parked = [(each.wanted, each.reached, each.parked.key if each.parked else None) for each in told]
    told.clear()
    query.get("b", after=follower, stale=told.append)
    query.get("a", after=first, stale=told.append)
    query.all(after=other, stale=told.append)

    assert row == Pile("a", 1, "1,")
    assert parked == [(4, 4, "a"), (4, 4, "a"), (3, 4, "a")]
    assert told == []


class Remark(Struct, frozen=True):
    item: str
    text: str


def test_a_value_that_is_too_large_for_an_index_of_postgresql_parks_its_key_and_is_no_outage(postgres_url: str) -> None:
    class Said(Event):
        seed: int
        length: int

    @projection("remarks")
    def remarks(row: Remark | None, recorded: Recorded[Said]) -> Remark:
        del row
        letters = random.Random(recorded.event.seed)
        return Remark(recorded.stream_id, "".join(letters.choices(string.printable, k=recorded.event.length)))

    with Application(
        postgres_url, projections=[remarks.into(SqlTable("remarks", indexes=["text"]), poison=AT_ONCE)], migrate=True
    ) as app:
        app.store.append("item-a", [Said(1, 10)])
        app.store.append("item-b", [Said(2, 100_000)])
        app.store.append("item-c", [Said(3, 10)])

        with pytest.raises(EventParked, match="index row"):
            app.catch_up()
        assert [(each.key, each.position) for each in app.parked()] == [("b", 2)]
        assert sorted(row.item for row in app.query(Remark)) == ["a", "c"]


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": True}, {"attempts": "3"}, {"pause": -1.0}, {"pause": float("nan")}, {"pause": "1"}],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=f"Poison: {next(iter(wrong))}: expected"):
        Poison(**wrong)
    with pytest.raises(DefinitionError, match="poison: expected a Poison, as in Poison"):
        levels.into(MemoryTable(), poison=3)  # type: ignore[arg-type]


def test_a_verification_leaves_parked_keys_alone(store: EventStore) -> None:
    mood = Mood()
    engine = Engine(store, [bound(mood, store)])
    store.append("item-a", [Added(1), Added(13)])
    store.append("item-b", [Added(2)])
    with pytest.raises(EventParked):
        engine.catch_up()
    mood.broken = False

    verified = verify(store, engine.tracks[0], repair=True)

    assert (verified.rows, verified.faults) == (1, [])
    assert rows_of(engine, "piles")["a"] == Pile("a", 1, "1,")


def test_rows_with_parked_events_are_not_gone_back_to(store: EventStore) -> None:
    mood = Mood()
    engine = Engine(store, [bound(mood, store)])
    store.append("item-a", [Added(13)])
    with pytest.raises(EventParked):
        engine.catch_up()
    mood.broken = False
    rebuild(store, engine.tracks[0])

    with pytest.raises(RollbackRefused, match="events are parked in generation 1"):
        rollback(store, engine.tracks[0])
