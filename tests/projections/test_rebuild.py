"""Rebuild: beside the live rows, resumable, swapped at once, never seen half-built."""

import threading
from typing import Any

import pytest
from sqlalchemy import inspect

from eventfold import EventStore, MemoryTable, NeedsRebuild, ProjectionFailed, Recorded, SqlTable, Struct, projection
from projections import (
    Engine,
    GenerationDropped,
    ModelQuery,
    Progress,
    RebuildRefused,
    partition_build,
    rebuild,
    status_of,
)
from projections import track as track_
from projections.row_cache import RowCache
from projections.target import Change
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    Added,
    ShopEvent,
    Stock,
    assert_straight,
    fill,
    open_app,
    open_engine,
    position_of,
    rows_of,
    stock,
)

QUICK: dict[str, Any] = {"max_memory": 1, "write_seconds": 0.0}


@pytest.mark.parametrize("options", [{}, {"max_memory": 1}, QUICK], ids=["in memory", "no memory", "write each batch"])
def test_the_rebuilt_rows_equal_the_live_ones(
    store: EventStore, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    fill(store, 50)
    engine = open_engine(store)
    engine.catch_up()
    before, seen = rows_of(engine, "stock"), list[Progress]()
    folded = rebuild(store, engine.find("stock")[0], on_progress=seen.append, **options)
    status = status_of(store, engine.find("stock")[0])
    assert rows_of(engine, "stock") == before
    assert (status.state, status.generation, status.position) == ("live", 2, store.head())
    assert (seen[-1].position, seen[-1].head, seen[-1].events) == (store.head(), store.head(), folded)
    assert [each.position for each in seen] == sorted({each.position for each in seen})


def test_while_it_runs_the_live_rows_keep_moving(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    fill(store, 20)
    engine = open_engine(store)
    engine.catch_up()
    states, more = set(), iter(range(3))

    def on_progress(_progress: Progress) -> None:
        if next(more, None) is not None:
            fill(store, 2, seed=store.head())
            engine.catch_up()
            assert position_of(engine, "stock") == store.head()
            states.add(status_of(store, engine.find("stock")[0]).state)

    rebuild(store, engine.find("stock")[0], on_progress=on_progress, **QUICK)
    assert states == {"rebuilding"}
    assert position_of(engine, "stock") == store.head()
    assert_straight(store, engine)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_a_reader_never_sees_an_empty_or_half_table_nor_an_error(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"memory": None, "sqlite": "sqlite_url", "postgresql": "postgres_url"}
    url = "memory://" if names[kind] is None else request.getfixturevalue(str(names[kind]))
    monkeypatch.setattr(partition_build, "BATCH", 5)
    with open_app(url) as app:
        for i in range(30):
            app.store.append(f"item-x{i}", [Added(i)])
        app.catch_up()
        expected, wrong, done = app.query(Stock).all(), list[Any](), threading.Event()
        reading = threading.Barrier(3)

        def read() -> None:
            reading.wait()
            while not done.is_set():
                try:
                    found = app.query(Stock).all()
                except Exception as error:  # noqa: BLE001 - shown by the test
                    found = [error]
                if found != expected:
                    wrong.append(found)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        reading.wait()
        for _ in range(8):
            rebuild(app.store, app.engine.find("stock")[0], **QUICK)
        done.set()
        for reader in readers:
            reader.join()
        assert wrong == []


@pytest.mark.parametrize("options", [{}, QUICK])
@pytest.mark.parametrize("batches", [1, 2, 5])
def test_when_it_is_interrupted_then_it_goes_on_from_its_last_write(
    open_store: OpenShop, options: dict[str, Any], batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 4)
    store = open_store()
    fill(store, 40)
    engine = open_engine(store)
    engine.catch_up()
    track, left = engine.find("stock")[0], iter(range(batches - 1))

    def interrupt(_progress: Progress) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(store, track, on_progress=interrupt, **options)
    building = status_of(store, track)
    assert (building.state, building.generation) == ("rebuilding", 1)
    assert building.rebuilding_position
    elsewhere = open_store()
    resumed = rebuild(elsewhere, open_engine(elsewhere).find("stock")[0], **options)
    wanted = sum(isinstance(each.event, stock.events) for each in store.read_log(after=building.rebuilding_position))
    assert wanted <= resumed
    assert status_of(store, track).generation == 2
    assert_straight(store, engine)


def test_when_it_is_interrupted_in_the_middle_of_a_batch_then_nothing_is_folded_twice(
    open_store: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 10)
    store = open_store()
    fill(store, 30)
    engine = open_engine(store)
    update, calls = RowCache.update, iter([False, True])

    def interrupted(cache: RowCache, rows: dict[Any, Any]) -> None:
        update(cache, rows)
        if next(calls):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RowCache, "update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rebuild(store, engine.find("stock")[0], write_seconds=0.0)
    rebuild(store, engine.find("stock")[0])
    engine.catch_up()
    assert_straight(store, engine)


def test_two_rebuilds_at_once_build_one_generation(open_store: OpenShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    store, elsewhere = open_store(), open_store()
    fill(store, 40)
    engine, other = open_engine(store), open_engine(elsewhere)
    engine.catch_up()
    turn = iter(range(2))

    def on_progress(_progress: Progress) -> None:
        if next(turn, None) == 1:  # in the middle of the one, the whole of the other
            rebuild(elsewhere, other.find("stock")[0], **QUICK)

    rebuild(store, engine.find("stock")[0], on_progress=on_progress, **QUICK)
    assert status_of(store, engine.find("stock")[0]).generation == 2
    assert_straight(store, engine)


def test_when_others_have_swapped_twice_meanwhile_then_it_ends(
    open_store: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    store, elsewhere = open_store(), open_store()
    fill(store, 40)
    engine, other = open_engine(store), open_engine(elsewhere)
    engine.catch_up()
    turn = iter(range(2))

    def on_progress(_progress: Progress) -> None:
        if next(turn, None) == 1:
            rebuild(elsewhere, other.find("stock")[0], **QUICK)
            rebuild(elsewhere, other.find("stock")[0], **QUICK)
            fill(elsewhere, 3, seed=99)
            other.catch_up()

    rebuild(store, engine.find("stock")[0], on_progress=on_progress, **QUICK)
    engine.catch_up()
    assert status_of(store, engine.find("stock")[0]).generation == 3
    assert_straight(store, engine)


def test_one_retired_generation_is_kept_and_older_ones_are_dropped(store: EventStore) -> None:
    fill(store, 5)
    engine = open_engine(store)
    track = engine.find("stock")[0]
    for _ in range(4):
        rebuild(store, track)
    assert [(each.number, each.state) for each in track.target.generations()] == [(3, "retired"), (4, "live")]
    assert store.backend.sql is not None
    with store.backend.sql.reading() as connection:
        names = inspect(connection).get_table_names()
    assert sorted(each for each in names if each.startswith("stock__")) == ["stock__g3", "stock__g4"]


def newer_stock(version: int) -> Any:
    @projection("stock", version=version, key=stock.key)
    def newer(row: Stock | None, recorded: Recorded[ShopEvent]) -> Stock | None:
        return stock.function(row, recorded)

    return newer


def test_what_a_rebuild_of_an_older_version_left_unfinished_is_dropped(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 2)
    fill(store, 9)
    open_engine(store).catch_up()

    def interrupt(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(store, Engine(store, [newer_stock(2).into(SqlTable("stock"))]).tracks[0], on_progress=interrupt)
    track = Engine(store, [newer_stock(3).into(SqlTable("stock"))]).tracks[0]
    rebuild(store, track)
    assert [(each.number, each.state) for each in track.target.generations()] == [(1, "retired"), (3, "live")]
    assert status_of(store, track).state == "live"


def test_given_a_changed_version_then_queries_refuse_the_old_rows_until_a_worker_has_rebuilt_them(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    fill(store, 20)
    old = open_engine(store)
    old.catch_up()
    expected = rows_of(old, "stock")
    with open_app(url, [newer_stock(2).into(SqlTable("stock"))]) as app:
        assert status_of(app.store, app.engine.tracks[0]).state == "outdated"
        with pytest.raises(NeedsRebuild, match="run `eventfold projections rebuild stock`"):
            app.query(Stock).all()
        swapped = threading.Event()
        app.store.signal.add(swapped.set)
        with app.worker():
            while status_of(app.store, app.engine.tracks[0]).generation != 2:
                swapped.wait(1.0)
        assert {row.item: row for row in app.query(Stock).all()} == expected


def test_when_newer_code_has_swapped_its_rows_in_then_queries_of_the_older_one_say_so(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(Struct, frozen=True):
        item: str

    @projection("stock", version=2)
    def narrow(row: Narrow | None, recorded: Recorded[Added]) -> Narrow:
        return Narrow(recorded.stream_id)

    store.append("item-a", [Added(3)])
    older = open_engine(store)
    older.catch_up()
    query = ModelQuery[Any](older, older.find("stock")[0])
    assert len(query.all()) == 1

    rebuild(store, Engine(store, [narrow.into(SqlTable("stock"))]).tracks[0])

    with pytest.raises(NeedsRebuild, match="made by another version"):  # at once, where a column is missing
        query.all()
    monkeypatch.setattr(track_, "LOOK_SECONDS", 0.0)
    with pytest.raises(NeedsRebuild, match="made by another version"):  # and soon, where the rows can be read
        query.count()


def test_given_a_changed_model_then_the_new_columns_are_swapped_in(store: EventStore) -> None:
    class Wider(Stock, frozen=True):
        extra: int = 7

    @projection("stock")
    def wider(row: Wider | None, recorded: Recorded[Added]) -> Wider | None:
        return Wider(recorded.stream_id, recorded.event.amount)

    store.append("item-a", [Added(3)])
    open_engine(store).catch_up()
    engine = Engine(store, [wider.into(SqlTable("stock"))])
    with pytest.raises(NeedsRebuild):
        engine.catch_up()
    rebuild(store, engine.tracks[0])
    assert rows_of(engine, "stock") == {"a": Wider("a", 3)}
    engine.catch_up()
    assert status_of(store, engine.tracks[0]).state == "live"


def test_when_a_fold_fails_then_the_live_rows_are_untouched_and_the_event_is_named(store: EventStore) -> None:
    fails = [False]

    @projection("stock")
    def fragile(row: Stock | None, recorded: Recorded[Added]) -> Stock | None:
        if fails[0] and recorded.event.amount == 2:
            raise ArithmeticError("two")
        return Stock(recorded.stream_id, recorded.event.amount)

    store.append("item-a", [Added(1), Added(2), Added(3)])
    engine = Engine(store, [fragile.into(SqlTable("stock"))])
    engine.catch_up()
    fails[0] = True
    with pytest.raises(ProjectionFailed, match="two") as caught:
        rebuild(store, engine.tracks[0])
    assert caught.value.position == list(store.read_log())[1].position
    assert rows_of(engine, "stock") == {"a": Stock("a", 3)}
    fails[0] = False
    assert rebuild(store, engine.tracks[0]) == 2  # goes on after what was written
    assert rows_of(engine, "stock") == {"a": Stock("a", 3)}


@projection("holders")
def holders(row: Stock | None, recorded: Recorded[Added]) -> Stock:
    return Stock(recorded.stream_id, recorded.event.amount)


def test_when_the_database_refuses_the_rows_then_the_error_names_the_table_and_the_remedy(store: EventStore) -> None:
    store.append("item-a", [Added(1)])
    engine = Engine(store, [holders.into(SqlTable("holders", unique=["amount"]))])
    engine.catch_up()
    store.append("item-b", [Added(1)])

    with pytest.raises(
        RebuildRefused,
        match=r"'holders': the database refused rows of generation 2 of 'holders', made of events after position 0: .*"
        r"change it and raise version=, and rebuild",
    ) as caught:
        rebuild(store, engine.tracks[0])

    assert (caught.value.projection, caught.value.target, caught.value.position) == ("holders", "holders", 0)
    assert rows_of(engine, "holders") == {"a": Stock("a", 1)}


def test_when_what_is_declared_changes_with_the_version_then_the_rebuild_that_was_refused_begins_anew(
    store: EventStore,
) -> None:
    store.append("item-a", [Added(1)])
    store.append("item-b", [Added(1)])
    with pytest.raises(RebuildRefused):
        rebuild(store, Engine(store, [holders.into(SqlTable("holders", unique=["amount"]))]).tracks[0])
    newer = projection("holders", version=2)(holders.function)
    engine = Engine(store, [newer.into(SqlTable("holders"))])

    rebuild(store, engine.tracks[0])

    assert rows_of(engine, "holders") == {"a": Stock("a", 1), "b": Stock("b", 1)}


@pytest.mark.parametrize("target", [MemoryTable, SqlTable])
def test_a_generation_that_is_gone_says_so(store: EventStore, target: Any) -> None:
    track = Engine(store, [stock.into(target("stock"))]).tracks[0]
    assert track.generation.info.number == 1
    gone = track.target.generation(7)

    for ask in (lambda: gone.info, lambda: track.target.swap(gone)):
        with pytest.raises(GenerationDropped, match=r"projection 'stock': generation 7 of 'stock' is gone"):
            ask()
    assert gone.apply(Change({}, 0, 1, 0)) is False


def test_when_newer_code_has_rebuilt_and_dropped_what_is_being_built_then_the_older_rebuild_says_so(
    open_store: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    store, elsewhere = open_store(), open_store()
    fill(store, 20)
    track = open_engine(store).find("stock")[0]
    newer = Engine(elsewhere, [newer_stock(2).into(SqlTable("stock"))]).tracks[0]
    meanwhile = iter([lambda: rebuild(elsewhere, newer)])

    def on_progress(_progress: Progress) -> None:
        next(meanwhile, lambda: 0)()

    with pytest.raises(NeedsRebuild, match="were made by another version"):
        rebuild(store, track, on_progress=on_progress, **QUICK)
    assert [(each.number, each.state) for each in newer.target.generations()] == [(2, "live")]


def test_rows_in_memory_are_rebuilt_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_build, "BATCH", 3)
    with open_app("memory://", [stock.into(MemoryTable())]) as app:
        fill(app.store, 30)
        app.catch_up()
        before, track = app.query(Stock).all(), app.engine.tracks[0]
        for _ in range(4):
            rebuild(app.store, track, **QUICK)
        assert app.query(Stock).all() == before
        assert [(each.number, each.state) for each in track.target.generations()] == [(4, "retired"), (5, "live")]


def test_a_view_over_the_rows_survives_a_swap(postgres_url: str) -> None:
    with open_app(postgres_url) as app:
        app.store.append("item-a", [Added(3)])
        app.catch_up()
        assert app.store.backend.sql is not None
        with app.store.backend.sql.transaction() as connection:
            connection.exec_driver_sql("CREATE VIEW report AS SELECT sum(amount) AS total FROM stock")
        rebuild(app.store, app.engine.find("stock")[0])
        app.store.append("item-b", [Added(4)])
        app.catch_up()
        with app.store.backend.sql.reading() as connection:
            assert connection.exec_driver_sql("SELECT total FROM report").scalar_one() == 7
