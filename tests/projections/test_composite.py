"""Composite projections: whatever batches, crashes and rebuilds there are, a fold sees what it reads as of the event in hand."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventfold import (
    Application,
    DefinitionError,
    ElasticsearchIndex,
    EventStore,
    NeedsRebuild,
    Recorded,
    RowLookup,
    SqlTable,
    open_store,
    projection,
)
from eventfold.migrations import migrate
from eventstore.token import token_of
from projections import Engine, MemoryTable, partition_build, rebuild, row_difference, verify
from projections.mending import retry_parked
from projections.moment import Moment
from projections.past import Past
from projections.rebuild import begin
from tests.projections.enriched import (
    EVENTS,
    Closed,
    Customer,
    Moved,
    Ordered,
    Region,
    Renamed,
    Spending,
    Straight,
    append_some,
    customers,
    regions,
    spendings,
)
from tests.projections.shop import rows_of

CHAIN = (regions, customers, spendings)


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    return str(request.getfixturevalue(names[request.param])) if request.param in names else "memory://"


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., Engine]]:
    """Makes engines over one log, as processes that come one after the other."""
    stores: list[EventStore] = []
    made: list[Any] = []

    def make(batch_size: int = 10_000, *projections: Any) -> Engine:
        if not stores:
            stores.append(open_store(url, events=EVENTS, migrate=True))
            migrate(stores[0])
        if url == "memory://" and made and not projections:
            made[0]._batches._size = batch_size  # rows in memory go with their engine
            return made[0]
        target: Any = MemoryTable if url == "memory://" else SqlTable
        engine = Engine(
            stores[0], [each.into(target(each.name)) for each in projections or CHAIN], batch_size=batch_size
        )
        made.append(engine)
        return engine

    yield make
    for each in stores:
        each.close()


def assert_as_of_each_event(store: EventStore, engine: Engine) -> None:
    expected = Straight().fold(store.read_log())
    for track in engine.tracks:
        assert rows_of(engine, track.projection.name) == expected[track.projection.name]


@pytest.mark.parametrize("seed", range(int(os.environ.get("EVENTFOLD_COMPOSITE_SEEDS", "3"))))
def test_any_batches_and_crashes_give_the_rows_of_one_straight_fold(make: Callable[..., Engine], seed: int) -> None:
    chance = random.Random(seed)
    store = make().store
    for _ in range(6):
        append_some(store, chance, chance.randrange(12))
        engine = make(chance.randrange(1, 9))
        for _ in range(chance.randrange(6)):  # and then its process dies
            engine.step()
        if chance.randrange(3) == 0:
            rebuild(store, engine.find(chance.choice(CHAIN).name)[0], max_memory=1)

    engine = make()
    engine.catch_up()

    assert_as_of_each_event(store, engine)


def test_a_rebuild_that_is_interrupted_goes_on_with_what_it_reads_as_of_there(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    engine = make()
    append_some(engine.store, random.Random(1), 60)
    engine.catch_up()
    track, left = engine.find("spendings")[0], [5]

    def interrupt(_progress: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(engine.store, track, on_progress=interrupt, write_seconds=0.0)
    append_some(engine.store, random.Random(2), 10)
    rebuild(engine.store, track, max_memory=1, write_seconds=0.0)
    engine.catch_up()

    assert_as_of_each_event(engine.store, engine)


def test_what_it_reads_need_not_be_kept_by_itself_nor_stand_where_it_stands(make: Callable[..., Engine]) -> None:
    engine = make(10_000, spendings)
    append_some(engine.store, random.Random(3), 40)
    engine.catch_up()

    assert_as_of_each_event(engine.store, engine)


def test_what_it_reads_is_shown_to_no_other_projection_that_wants_the_same_events(make: Callable[..., Engine]) -> None:
    @projection("orders", key=lambda recorded: recorded.event.customer)
    def orders(row: Customer | None, recorded: Recorded[Ordered | Closed]) -> Customer:
        assert isinstance(recorded.event, (Ordered, Closed))
        return Customer(recorded.event.customer, "?")

    engine = make(10_000, orders, spendings)
    append_some(engine.store, random.Random(3), 40)
    engine.catch_up()

    assert rows_of(engine, "orders")


def test_the_past_a_difference_and_a_verification_look_up_as_of_each_event(make: Callable[..., Engine]) -> None:
    engine = make(7)
    store = engine.store
    append_some(store, random.Random(4), 50)
    engine.catch_up()
    past, middle = Past(store), store.head() // 2
    expected = Straight().fold(store.read_log(up_to=middle))["spendings"]

    assert past.rows(spendings, Moment(middle)) == expected
    assert {key: past.row(spendings, key, Moment(middle)) for key in expected} == expected
    for key in expected:
        changes = row_difference.row_difference(store, spendings, key, Moment(middle), Moment(store.head()))
        assert {each.field for each in changes} <= {"", "orders", "cents", "last"}
    assert verify(store, engine.find("spendings")[0]).faults == []


def test_when_what_it_reads_fails_it_stands_still_and_says_so(make: Callable[..., Engine]) -> None:
    @projection("names", category="customer")
    def names(row: Region | None, recorded: Recorded[Renamed]) -> Region:
        return Region(recorded.stream_id, 1 // len(recorded.event.name))

    @projection("greeted", reads=[names])
    def greeted(row: Region | None, recorded: Recorded[Ordered], lookup: RowLookup) -> Region:
        found = lookup.get(names, recorded.event.customer)
        return Region(recorded.stream_id, 0 if found is None else found.people)

    engine = make(10_000, greeted)
    engine.store.append("customer-c", [Renamed("A")])
    engine.store.append("order-1", [Ordered("c", 1)])
    engine.store.append("customer-c", [Renamed("")])
    engine.store.append("order-2", [Ordered("c", 1)])
    for _ in range(5):
        engine.step()
        engine.find("greeted")[0].retry_now()

    assert rows_of(engine, "greeted") == {"1": Region("1", 1)}
    failure = engine.find("greeted")[0].failure
    assert "projection 'names' failed on the event at position 3, key 'c'" in str(failure)


def test_an_event_that_its_own_fold_refuses_is_parked_and_folded_later_as_of_then(make: Callable[..., Engine]) -> None:
    broken = [True]

    @projection("picky", reads=[customers])
    def picky(row: Region | None, recorded: Recorded[Ordered], lookup: RowLookup) -> Region:
        if broken[0] and recorded.event.cents == 13:
            raise ValueError("thirteen")
        found = lookup.get(customers, recorded.event.customer)
        return Region(recorded.stream_id, 0 if found is None else found.neighbours)

    engine = make(10_000, picky)
    store = engine.store
    for n in range(3):
        store.append("customer-c", [Moved("r1")])
        store.append(f"order-{n}", [Ordered("c", 13 if n == 1 else 1)])
    with pytest.raises(Exception, match="thirteen"):
        engine.catch_up()
    assert rows_of(engine, "picky") == {"0": Region("0", 1), "2": Region("2", 3)}

    broken[0] = False
    retry_parked(store, engine.find("picky"))

    assert rows_of(engine, "picky")["1"] == Region("1", 2)


def test_a_newer_version_of_what_it_reads_asks_for_a_rebuild(make: Callable[..., Engine]) -> None:
    def version(number: int) -> Any:
        @projection("regions", version=number, key=lambda recorded: recorded.event.region)
        def source(row: Region | None, recorded: Recorded[Moved]) -> Region:
            return Region(recorded.event.region, number)

        @projection("reader", reads=[source])
        def reader(row: Region | None, recorded: Recorded[Moved], lookup: RowLookup) -> Region:
            found = lookup.get(source, recorded.event.region)
            return Region(recorded.stream_id, 0 if found is None else found.people)

        return reader

    old, new = version(1), version(2)
    assert old.fingerprint != new.fingerprint
    engine = make(10_000, old)
    engine.store.append("customer-c", [Moved("r1")])
    engine.catch_up()
    if engine.store.backend.sql is not None:
        engine = make(10_000, new)
        with pytest.raises(NeedsRebuild):
            engine.catch_up()
        rebuild(engine.store, engine.find("reader")[0])
    else:
        engine = make(10_000, new)
        engine.catch_up()

    assert rows_of(engine, "reader") == {"c": Region("c", 2)}


def test_kept_inline_it_sees_what_it_reads_as_of_the_event(url: str) -> None:
    target: Any = MemoryTable if url == "memory://" else SqlTable
    bound = spendings.into(target("spendings"), consistency="inline")
    with Application(url, projections=[bound], events=EVENTS, migrate=True) as app:
        chance = random.Random(5)
        for _ in range(20):
            append_some(app.store, chance, 2)
            assert rows_of(app.engine, "spendings") == Straight().fold(app.store.read_log())["spendings"]
        position = app.store.append("order-1", [Ordered("c", 1)]).position
        assert app.query(Spending).get("r1", after=token_of(position)) is not None


def test_stages_are_in_the_order_of_their_declarations_and_circles_are_named() -> None:
    assert spendings.stages == (regions, customers, spendings)

    def declare(name: str, **options: Any) -> Any:
        def fold(row: Customer | None, recorded: Recorded[Moved], lookup: RowLookup) -> Customer | None:
            return row

        return projection(name, **options)(fold)

    with pytest.raises(DefinitionError, match="the stages form a circle: regions -> spendings -> customers -> regions"):
        declare("regions", reads=[spendings])
    with pytest.raises(DefinitionError, match="expected a last parameter `lookup: RowLookup` where there is reads="):
        declare("alone")
    other = projection("regions")(regions_by_stream)
    with pytest.raises(DefinitionError, match="two projections are called 'regions'"):
        declare("both", reads=[customers, other])


def regions_by_stream(row: Region | None, recorded: Recorded[Moved]) -> Region:
    return Region(recorded.stream_id)


def test_what_a_composite_cannot_be_is_an_error_at_definition(sqlite_url: str) -> None:
    with pytest.raises(
        DefinitionError, match=r"ElasticsearchIndex\('spendings'\) cannot keep what a projection with reads="
    ):
        spendings.into(ElasticsearchIndex("spendings"))
    with pytest.raises(DefinitionError, match="expected 1 partition and 1 process for a projection with reads="):
        spendings.into(SqlTable("spendings"), partitions=2)
    with Application(sqlite_url, projections=[spendings.into(SqlTable("spendings"))], events=EVENTS) as app:
        track = app.engine.find("spendings")[0]
        with pytest.raises(DefinitionError, match="expected 1 partition and 1 process"):
            begin(track, 2)


def test_a_fold_that_looks_up_what_it_does_not_read_is_told_so(make: Callable[..., Engine]) -> None:
    @projection("stray", reads=[regions])
    def stray(row: Region | None, recorded: Recorded[Ordered], lookup: RowLookup) -> Region:
        lookup.get(customers, "c")
        return Region(recorded.stream_id)

    engine = make(10_000, stray)
    engine.store.append("order-1", [Ordered("c", 1)])

    with pytest.raises(Exception, match="looks up rows of 'customers', which it does not read; name it in reads="):
        engine.catch_up()
