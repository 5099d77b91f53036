"""The engine: exactly once in effect, whoever else is at work, and one projection's failure is its own."""

import random
import threading
from typing import Any

import pytest

from eventfold import (
    CustomTarget,
    DefinitionError,
    ElasticsearchIndex,
    Event,
    EventStore,
    NeedsRebuild,
    NewEvent,
    ProjectionFailed,
    Recorded,
    SqlTable,
    projection,
)
from projections import Engine, MemoryTable, rebuild, status_of
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    STANDS_STILL,
    Added,
    Closed,
    Moved,
    Noise,
    Stock,
    Total,
    assert_straight,
    bindings,
    fill,
    open_engine,
    position_of,
    rows_of,
    stock,
    totals,
)


def test_when_it_catches_up_then_every_table_equals_the_straight_fold(store: EventStore) -> None:
    fill(store, 60)
    engine = open_engine(store, batch_size=7)
    engine.catch_up()
    assert position_of(engine, "stock") == position_of(engine, "totals") == store.head()
    assert_straight(store, engine)


def test_given_an_empty_log_when_it_catches_up_then_the_tables_are_there_and_empty(store: EventStore) -> None:
    engine = open_engine(store)
    engine.catch_up()
    assert rows_of(engine, "stock") == {}


def test_when_an_event_names_one_row_twice_then_it_is_folded_into_it_once(store: EventStore) -> None:
    store.append("item-a", [Added(5), Moved("a", 2)])
    engine = open_engine(store)
    engine.catch_up()
    assert rows_of(engine, "stock") == {"a": Stock("a", 7, 2)}


def test_an_event_that_touches_several_rows_counts_as_one_event_live_and_rebuilt(store: EventStore) -> None:
    store.append("item-a", [Added(5), Moved("b", 2), Moved("b", 1), Noise()])
    engine = open_engine(store)
    engine.catch_up()
    track = engine.find("stock")[0]

    live = track.generation.info.events
    rebuilt = rebuild(store, track)

    assert (live, rebuilt, track.generation.info.events) == (3, 3, 3)


def test_when_a_row_is_deleted_and_made_anew_within_a_batch_then_it_begins_anew(store: EventStore) -> None:
    store.append("item-a", [Added(5), Closed(), Added(1)])
    store.append("item-b", [Added(5), Closed()])
    engine = open_engine(store)
    engine.catch_up()
    assert rows_of(engine, "stock") == {"a": Stock("a", 1, 1)}


@pytest.mark.parametrize("seed", range(6))
def test_given_several_engines_over_one_database_then_nothing_is_applied_twice(open_store: OpenShop, seed: int) -> None:
    chance = random.Random(seed)
    stores = [open_store() for _ in range(3)]
    engines = [open_engine(each, batch_size=chance.randrange(1, 9)) for each in stores]
    appending, done = threading.Barrier(4), threading.Event()
    failures: list[BaseException] = []

    def work(engine: Engine, own: random.Random) -> None:
        try:
            appending.wait()
            while not done.is_set():
                engine.step(own.sample(engine.tracks, own.randrange(1, 3)))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(each, random.Random(chance.random()))) for each in engines]
    for thread in threads:
        thread.start()
    appending.wait()
    fill(stores[0], 80, seed=seed * 1000)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_straight(stores[0], engines[0])
    engines[1].catch_up()
    assert position_of(engines[2], "stock") == stores[0].head()
    assert_straight(stores[0], engines[2])


@projection("broken", version=1)
def broken(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
    if recorded.event.amount == 13:
        raise ArithmeticError("thirteen")
    return Stock(recorded.stream_id, recorded.event.amount + (row.amount if row else 0))


@projection("broken", version=1)
def mended(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
    return Stock(recorded.stream_id, recorded.event.amount + (row.amount if row else 0))


@pytest.mark.parametrize("batch_size", [2, 5000])
def test_given_a_projection_that_stands_still_then_the_rows_before_the_event_are_written_and_the_others_go_on(
    open_store: OpenShop, batch_size: int
) -> None:
    store = open_store()
    for amount in (1, 2, 13, 4, 5, 6):
        store.append("item-a", [Added(amount)])
    engine = Engine(store, [broken.into(SqlTable("broken"), poison=STANDS_STILL), *bindings()], batch_size=batch_size)
    with pytest.raises(
        ProjectionFailed, match=r"'broken' failed on the event at position \d+, key 'a'.*thirteen"
    ) as caught:
        engine.catch_up()
    poisonous = list(store.read_log())[2].position
    assert (caught.value.position, caught.value.key) == (poisonous, "a")
    assert rows_of(engine, "broken") == {"a": Stock("a", 3)}
    assert_straight(store, engine)
    assert position_of(engine, "stock") == store.head()
    seen_elsewhere = Engine(open_store(), [broken.into(SqlTable("broken"), poison=STANDS_STILL)])
    status = status_of(store, seen_elsewhere.find("broken")[0])
    assert status.state == "failed"
    assert status.position < poisonous
    assert "thirteen" in str(status.error)
    assert f"position {poisonous}, key 'a'" in str(status.error)

    again = Engine(store, [mended.into(SqlTable("broken"))])
    again.catch_up()
    assert rows_of(again, "broken") == {"a": Stock("a", 31)}
    status = status_of(store, again.find("broken")[0])
    assert (status.state, status.error, status.lag) == ("live", None, 0)
    engine.catch_up()  # the process with the broken fold finds that another one has gone past the event
    assert engine.find("broken")[0].failure is None


def test_what_a_projection_stands_still_for_is_logged_once_and_again_when_it_changes(
    store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    reason = ["first"]

    @projection("fragile")
    def fragile(row: Stock | None, recorded: Recorded[Added]) -> Stock:
        raise ArithmeticError(reason[0])

    store.append("item-a", [Added(1)])
    engine = Engine(store, [fragile.into(SqlTable("fragile"), poison=STANDS_STILL)])

    for text in ("first", "first", "first", "second", "second"):
        reason[0] = text
        engine.tracks[0].retry_now()
        engine.step()

    logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert ["first" in logged[0], "second" in logged[1], len(logged)] == [True, True, 2]
    assert logged[0].startswith("projection fragile in fragile stands still: ")


@pytest.mark.parametrize("made", ["other key", "other class"])
def test_given_a_fold_that_returns_no_row_of_its_own_then_the_event_at_fault_is_named(
    store: EventStore, made: str
) -> None:
    @projection("wrong")
    def wrong(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        if recorded.event.amount < 3:
            return Stock(recorded.stream_id, recorded.event.amount)
        return Stock("other") if made == "other key" else Total(1)  # type: ignore[return-value]

    store.append("item-a", [Added(1), Added(2), Added(3)])
    engine = Engine(store, [wrong.into(SqlTable("wrong"), poison=STANDS_STILL)])
    with pytest.raises(ProjectionFailed, match="expected a Stock whose item is 'a', or None, got") as caught:
        engine.catch_up()
    assert caught.value.position == list(store.read_log())[2].position
    assert rows_of(engine, "wrong") == {"a": Stock("a", 2)}


@pytest.mark.parametrize("key", [7, {"a": 1}, [["a"]], b"a", pytest.param(object(), id="an object")], ids=repr)
def test_given_a_key_of_another_type_then_the_projection_stands_still_before_that_event(
    store: EventStore, key: Any
) -> None:
    @projection("keyed", key=lambda recorded: "a" if recorded.event.amount < 2 else key)
    def keyed(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        return Stock("a", recorded.event.amount)

    store.append("item-a", [Added(1), Added(2)])
    engine = Engine(store, [keyed.into(SqlTable("keyed"), poison=STANDS_STILL), *bindings()])
    with pytest.raises(ProjectionFailed, match="key= raised TypeError"):
        engine.catch_up()
    assert rows_of(engine, "keyed") == {"a": Stock("a", 1)}
    assert position_of(engine, "totals") == store.head()


def test_given_rows_that_the_database_refuses_then_those_before_are_written_and_the_event_is_named(
    open_store: OpenShop,
) -> None:
    store = open_store()
    for item in "abcdefgh":
        store.append(f"item-{item}", [Added(1 if item == "f" else ord(item))])
    store.append("item-z", [Added(1)])
    target = SqlTable("broken", unique=["amount"])
    engine = Engine(store, [mended.into(target, poison=STANDS_STILL), *bindings()])
    with pytest.raises(ProjectionFailed, match=r"key 'z'.*the database refuses the row.*") as caught:
        engine.catch_up()
    assert caught.value.position == store.head()
    assert sorted(rows_of(engine, "broken")) == list("abcdefgh")
    assert position_of(engine, "stock") == store.head()
    status = status_of(store, Engine(open_store(), [mended.into(SqlTable("broken", unique=["amount"]))]).tracks[0])
    assert status.state == "failed"
    assert "key 'z'" in str(status.error)


def test_given_unique_values_that_rows_exchange_within_a_batch_then_they_are_written(store: EventStore) -> None:
    @projection("places")
    def places(row: Stock | None, recorded: Recorded[Added | Closed]) -> Stock | None:
        return None if isinstance(recorded.event, Closed) else Stock(recorded.stream_id, recorded.event.amount)

    bound = [places.into(SqlTable("places", unique=["amount"]))]
    store.append("item-a", [Added(1)])
    store.append("item-b", [Added(2)])
    store.append("item-c", [Added(3)])
    engine = Engine(store, bound)
    engine.catch_up()
    store.append("item-a", [Added(9)])
    store.append("item-b", [Added(1)])
    store.append("item-a", [Added(2)])
    store.append("item-c", [Closed()])
    store.append("item-d", [Added(3)])
    engine.catch_up()
    assert rows_of(engine, "places") == {"a": Stock("a", 2), "b": Stock("b", 1), "d": Stock("d", 3)}


def test_given_an_event_that_cannot_be_read_then_only_the_projection_that_wants_it_stands_still(
    store: EventStore,
) -> None:
    class Changed(Event, event_type="Added"):
        amount: str

    @projection("texts")
    def texts(row: Stock | None, recorded: Recorded[Changed]) -> Stock | None:
        return Stock(recorded.stream_id)

    @projection("closings")
    def closings(row: Stock | None, recorded: Recorded[Closed]) -> Stock | None:
        return Stock(recorded.stream_id)

    store.append("item-a", [Added(1), Closed()])
    engine = Engine(store, [texts.into(SqlTable("texts")), closings.into(SqlTable("closings"))])
    with pytest.raises(Exception, match="does not fit its declared class"):
        engine.catch_up()
    assert rows_of(engine, "closings") == {"a": Stock("a")}
    status = status_of(store, engine.find("texts")[0])
    assert status.state == "failed"
    assert "does not fit" in str(status.error)


def test_given_category_and_tags_then_alone_and_in_company_the_same_events_are_folded(store: EventStore) -> None:
    class Sub(Added, event_type="sub-added"):
        pass

    @projection("narrow", category="item")
    def narrow(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        return Stock(recorded.stream_id, recorded.event.amount + (row.amount if row else 0))

    @projection("subs")
    def subs(row: Stock | None, recorded: Recorded[Sub]) -> Stock | None:
        return Stock(recorded.stream_id, 1)

    @projection("tagged", tags=["x", "y"])
    def tagged(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        return Stock(recorded.stream_id, recorded.event.amount + (row.amount if row else 0))

    store.append("item-a", [Added(1), NewEvent(Added(2), tags=["x"]), NewEvent(Added(4), tags=["y", "z", "x"])])
    store.append("items-a", [Added(8), Sub(16)])
    together = Engine(store, [each.into(SqlTable(each.name)) for each in (narrow, subs, tagged)])
    together.catch_up()
    alone = [Engine(store, [each.into(SqlTable(f"{each.name}_alone"))]) for each in (narrow, subs, tagged)]
    for engine in alone:
        engine.catch_up()
    expected = {"narrow": {"a": Stock("a", 7)}, "subs": {"a": Stock("a", 1)}, "tagged": {"a": Stock("a", 4)}}
    assert {name: rows_of(together, name) for name in expected} == expected
    assert {
        engine.tracks[0].projection.name: rows_of(engine, engine.tracks[0].projection.name) for engine in alone
    } == expected


def test_when_another_process_has_swapped_and_dropped_the_rows_then_the_engine_goes_on_with_the_new_ones(
    open_store: OpenShop,
) -> None:
    store, elsewhere = open_store(), open_store()
    fill(store, 20)
    engine, other = open_engine(store, batch_size=3), open_engine(elsewhere)
    engine.step()
    for _ in range(3):
        rebuild(elsewhere, other.find("stock")[0])
    fill(store, 20, seed=20)
    engine.catch_up()
    assert_straight(store, engine)
    assert position_of(engine, "stock") == store.head()


def test_when_a_newer_process_has_swapped_then_the_older_one_says_so_and_its_other_projections_go_on(
    open_store: OpenShop,
) -> None:
    @projection("stock", version=2, key=stock.key)
    def newer(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        return None

    store, elsewhere = open_store(), open_store()
    fill(store, 20)
    engine = open_engine(store, batch_size=3)
    engine.step()
    rebuild(elsewhere, Engine(elsewhere, [newer.into(SqlTable("stock"))]).tracks[0])
    with pytest.raises(NeedsRebuild, match="run `eventfold projections rebuild stock`"):
        engine.catch_up()
    assert position_of(engine, "totals") == store.head()


def test_two_projections_of_one_name_or_one_table_are_an_error(store: EventStore) -> None:
    with pytest.raises(DefinitionError, match="two projections are called 'broken'"):
        Engine(store, [broken.into(SqlTable("a")), mended.into(SqlTable("b"))])
    with pytest.raises(DefinitionError, match="'stock' and 'totals' both keep their rows in 'rows'"):
        Engine(store, [stock.into(SqlTable("rows")), totals.into(SqlTable("rows"))])


def test_two_targets_of_a_projection_have_two_names_whichever_way_they_are_declared(store: EventStore) -> None:
    with pytest.raises(DefinitionError, match=r"two targets are called 'rows'; .* as SqlTable\('rows'\) and Elast"):
        stock.into(SqlTable("rows"), MemoryTable("rows"))
    with pytest.raises(DefinitionError, match="projection 'stock': two targets are called 'rows'"):
        stock.into(ElasticsearchIndex("rows"), SqlTable("rows"), CustomTarget("rows", lambda *_: None))
    with pytest.raises(DefinitionError, match="projection 'stock': two targets are called 'rows'"):
        Engine(store, [stock.into(SqlTable("rows")), stock.into(MemoryTable("rows"))])


@pytest.mark.parametrize("taken", ["stock", "stock__g1"])
def test_given_a_table_of_the_users_own_by_that_name_then_it_is_left_alone(store: EventStore, taken: str) -> None:
    assert store.backend.sql is not None
    with store.backend.sql.transaction() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {taken} (mine integer)")
    with pytest.raises(DefinitionError, match=f"has a table '{taken}' already; choose another name"):
        open_engine(store).catch_up()
    with store.backend.sql.reading() as connection:
        assert connection.exec_driver_sql(f"SELECT mine FROM {taken}").fetchall() == []
