"""Inline projections: rows and events are stored together or not at all, whichever way events are appended."""

import asyncio
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from eventfold import (
    AppendCondition,
    Application,
    DefinitionError,
    ElasticsearchIndex,
    EventfoldError,
    EventStore,
    InlineFailed,
    NeedsRebuild,
    Poison,
    Query,
    Recorded,
    SqlTable,
    StreamAppend,
    projection,
    replace,
)
from eventstore.token import token_of
from projections import MemoryTable, rebuild, status_of
from projections import inline as inline_module
from tests.projections.inline_shop import append_some, assert_all_is_folded, inline, open_inline
from tests.projections.shop import EVENTS, Added, Closed, Moved, Noise, Stock, Total, rows_of, stock


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    return str(request.getfixturevalue(names[request.param])) if request.param in names else "memory://"


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database(request: pytest.FixtureRequest) -> str:
    """Where others can write as well."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with open_inline(url) as app:
        yield app


def needs_database(url: str) -> bool:
    """Whether there is a database, which others can write to as well."""
    return not url.startswith("memory")


def test_whichever_way_events_are_appended_their_rows_are_there_at_once(app: Application) -> None:
    store = app.store
    store.append("item-a", [Added(5)])
    assert app.query(Stock).get("a") == Stock("a", 5, 1)

    store.append_all([StreamAppend("item-a", [Added(1), Noise()]), StreamAppend("item-b", [Added(8), Moved("a", 2)])])
    assert app.query(Stock).get("a") == Stock("a", 8, 3)

    store.append("item-c", [Added(3)], condition=AppendCondition(Query.of(Closed)), expected=0)
    assert app.query(Total).get(3) == Total(3, 1, 3)

    async def together() -> None:
        await asyncio.gather(*[store.append_async(f"item-{n}", [Added(n)]) for n in range(20)])

    asyncio.run(together())
    appended = store.append("item-a", [Closed()])
    assert app.query(Stock).get("a", after=token_of(appended.position), timeout=0) is None
    assert_all_is_folded(app)


def test_in_the_callers_transaction_rows_are_committed_and_rolled_back_with_all_else_in_it(database: str) -> None:
    with open_inline(database) as app:
        engine = app.store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            app.store.append("item-a", [Added(5)], connection=connection)
            app.store.append("item-a", [Added(6)], connection=connection)
        with engine.connect() as connection:
            app.store.append("item-a", [Added(7)], connection=connection)
            connection.rollback()
        with Session(engine) as session:
            app.store.append("item-b", [Added(8)], connection=session)
            session.commit()

        assert rows_of(app.engine, "stock") == {"a": Stock("a", 11, 2, "6"), "b": Stock("b", 8, 1, "8")}
        assert_all_is_folded(app)


@projection("stock")
def choosy(row: Stock | None, recorded: Recorded[Added]) -> Stock:
    """Takes no thirteen."""
    row = row or Stock(recorded.stream_id)
    return replace(row, amount=row.amount + 12 // (recorded.event.amount - 13) * 0 + recorded.event.amount)


def choosy_app(url: str, **options: Any) -> Application:
    target = SqlTable("stock") if needs_database(url) else MemoryTable()
    return open_inline(url, [choosy.into(target, consistency="inline", **options)])


def test_a_fold_that_raises_refuses_the_append_and_names_projection_event_and_key(url: str) -> None:
    with choosy_app(url) as app:
        app.store.append("item-a", [Added(5)])

        with pytest.raises(
            InlineFailed, match=r"nothing was stored: projection 'stock'.*'Added' of stream 'item-a', key 'a': Zero"
        ) as found:
            app.store.append("item-a", [Added(1), Added(13)])

        assert (found.value.projection, found.value.key, found.value.event_type) == ("stock", "a", "Added")
        assert [each.event for each in app.store.read_log()] == [Added(5)]
        assert rows_of(app.engine, "stock") == {"a": Stock("a", 5)}


def test_among_appends_that_share_a_transaction_only_those_fail_that_the_fold_refuses(url: str) -> None:
    with choosy_app(url) as app:
        amounts = [13 if n % 9 == 4 else n for n in range(14, 54)]

        async def together() -> list[Any]:
            appends = [app.store.append_async(f"item-{n % 3}", [Added(each)]) for n, each in enumerate(amounts)]
            return await asyncio.gather(*appends, return_exceptions=True)

        outcomes = asyncio.run(together())

        assert [isinstance(each, InlineFailed) for each in outcomes] == [each == 13 for each in amounts]
        assert sum(each.amount for each in rows_of(app.engine, "stock").values()) == sum(amounts) - 13 * amounts.count(
            13
        )


def test_in_the_callers_transaction_a_refused_append_leaves_it_usable(database: str) -> None:
    with choosy_app(database) as app:
        engine = app.store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            app.store.append("item-a", [Added(5)], connection=connection)
            with pytest.raises(InlineFailed):
                app.store.append("item-a", [Added(13)], connection=connection)

        assert rows_of(app.engine, "stock") == {"a": Stock("a", 5)}


def test_a_row_that_the_database_refuses_refuses_the_append(database: str) -> None:
    bound = choosy.into(SqlTable("stock", unique=["amount"]), consistency="inline")
    with open_inline(database, [bound]) as app:
        app.store.append("item-a", [Added(5)])

        with pytest.raises(InlineFailed, match="key 'b': the database refuses the row"):
            app.store.append("item-b", [Added(5)])

        assert app.store.stream_version("item-b") == 0
        app.store.append("item-b", [Added(6)])
        assert len(rows_of(app.engine, "stock")) == 2


def plain_append(app: Application, stream: str, *events: Any) -> int:
    """An append by a process that does not know the projections."""
    backend = app.store.backend
    return EventStore(backend).append(stream, list(events)).position


def test_what_a_process_that_knows_no_projection_has_appended_is_folded_first_by_the_next_append(
    app: Application,
) -> None:
    app.store.append("item-a", [Added(5)])
    plain_append(app, "item-a", Added(1), Closed(), Added(2))
    assert app.query(Stock).get("a") == Stock("a", 5, 1)
    assert status_of(app.store, app.engine.find("stock")[0]).events_behind == 3

    app.store.append("item-b", [Moved("a", 3)])

    assert app.query(Stock).get("a") == Stock("a", 5, 2, "2")
    app.store.append("item-b", [Added(0)])
    assert_all_is_folded(app)


def test_what_was_appended_without_being_folded_is_folded_by_whoever_waits_for_it_and_by_a_worker(
    app: Application,
) -> None:
    position = plain_append(app, "item-a", Added(1))
    assert app.query(Stock).get("a", after=token_of(position)) == Stock("a", 1, 1)

    position = plain_append(app, "item-a", Added(2))
    app.catch_up()
    assert app.query(Stock).get("a") == Stock("a", 3, 2, "2")
    assert_all_is_folded(app)


def test_a_missed_event_that_the_fold_refuses_is_parked_or_where_nothing_is_parked_refuses_appends(url: str) -> None:
    with choosy_app(url) as app:
        app.store.append("item-a", [Added(5)])
        plain_append(app, "item-a", Added(13), Added(1))
        app.store.append("item-b", [Added(2)])
        app.store.append("item-a", [Added(3)])

        assert rows_of(app.engine, "stock") == {"a": Stock("a", 5), "b": Stock("b", 2)}
        assert [(each.key, each.events) for each in app.parked()] == [("a", 3)]
        app.discard_parked("stock", "a", position=app.parked()[0].position)
        app.retry_parked("stock")
        assert app.query(Stock).get("a") == Stock("a", 9)


def test_where_nothing_is_parked_a_missed_event_that_the_fold_refuses_is_named_and_refuses_appends(url: str) -> None:
    with choosy_app(url, poison=Poison(attempts=None)) as app:
        app.store.append("item-a", [Added(5)])
        plain_append(app, "item-a", Added(13))

        with pytest.raises(InlineFailed, match=r"has to fold .* at position 2 first, which was appended without it"):
            app.store.append("item-b", [Added(2)])

        assert app.store.backend.count() == 2


def test_while_too_much_is_missing_appends_leave_the_folding_to_others(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_module, "MISSED", 3)
    for n in range(5):
        plain_append(app, "item-a", Added(n))

    appended = app.store.append("item-a", [Added(7)])

    assert rows_of(app.engine, "stock") == {}
    assert app.query(Stock).get("a", after=token_of(appended.position)) == Stock("a", 17, 6)
    app.catch_up()
    app.store.append("item-a", [Added(1)])
    assert_all_is_folded(app)


def test_a_paused_projection_is_not_folded_and_catches_up_with_the_first_append_after_it(app: Application) -> None:
    app.store.append("item-a", [Added(5)])
    app.pause("stock")
    app.store.append("item-a", [Added(1)])
    assert rows_of(app.engine, "stock") == {"a": Stock("a", 5, 1)}

    app.resume("stock")
    app.store.append("item-a", [Added(1)])

    assert_all_is_folded(app)


@projection("stock", version=2, key=stock.key)
def newer(row: Stock | None, recorded: Recorded[Added | Moved | Closed]) -> Stock | None:
    """The same fold, by a newer version of the code."""
    return stock.function(row, recorded)


def test_rows_of_another_version_are_left_alone_until_a_rebuild_puts_new_ones_in_their_place(database: str) -> None:
    with (
        open_inline(database) as old,
        open_inline(database, [newer.into(SqlTable("stock"), consistency="inline")]) as new,
    ):
        old.store.append("item-a", [Added(5)])
        appended = new.store.append("item-a", [Added(1)])
        assert rows_of(old.engine, "stock") == {"a": Stock("a", 5, 1)}
        with pytest.raises(NeedsRebuild):
            new.query(Stock).get("a", after=token_of(appended.position))

        old.store.append("item-a", [Added(2)])  # a process of the older version goes on meanwhile, with what was missed
        assert rows_of(old.engine, "stock") == {"a": Stock("a", 8, 3, "2")}
        rebuild(new.store, new.engine.find("stock")[0])
        old.store.append("item-b", [Added(3)])
        assert set(rows_of(new.engine, "stock")) == {"a"}
        new.store.append("item-c", [Added(3)])

        assert set(rows_of(new.engine, "stock")) == {"a", "b", "c"}


def test_while_writers_append_a_rebuild_loses_and_repeats_nothing(app: Application) -> None:
    for n in range(30):
        append_some(app.store, random.Random(n))
    done = threading.Event()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        while not done.is_set():
            append_some(app.store, chance)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for each in writers:
        each.start()
    try:
        for _ in range(3):
            for name in ("stock", "totals"):
                app.rebuild(name)
                with app.engine.find(name)[0].target.reading() as reader:
                    assert reader.position > 0
    finally:
        done.set()
        for each in writers:
            each.join()

    assert app.engine.find("stock")[0].generation.number >= 4
    assert_all_is_folded(app)


@pytest.mark.parametrize("seed", range(3))
def test_many_threads_of_several_stores_are_folded_in_the_order_of_positions(url: str, seed: int) -> None:
    apps = [open_inline(url) for _ in range(2 if needs_database(url) else 1)]

    def write(n: int) -> None:
        chance, store = random.Random(seed * 100 + n), apps[n % len(apps)].store
        plain = EventStore(store.backend, events=EVENTS)
        for _ in range(12):
            append_some(plain if chance.randrange(6) == 0 else store, chance)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    apps[0].store.append("item-a", [Added(1)])
    assert_all_is_folded(apps[0])
    for each in apps:
        each.close()


def test_two_projections_in_whatever_order_they_are_declared_do_not_lock_each_other_out(database: str) -> None:
    with open_inline(database) as one, open_inline(database, reversed(inline())) as two:
        failures: list[EventfoldError] = []

        def write(app: Application, seed: int) -> None:
            try:
                for n in range(25):
                    app.store.append(f"item-{seed}", [Added(n), Moved("x", 1)])
            except EventfoldError as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(app, n)) for n, app in enumerate([one, two] * 2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert failures == []
        assert_all_is_folded(one)


def test_a_worker_does_not_get_in_the_way_and_folds_what_was_missed(app: Application) -> None:
    with app.worker():
        for n in range(40):
            append_some(app.store, random.Random(n))
        app.store.append("item-a", [Added(1)])
        assert_all_is_folded(app)
        position = plain_append(app, "item-a", Added(2))
        while app.engine.find("stock")[0].generation.info.position < position:
            threading.Event().wait(0.01)

    app.catch_up()
    assert_all_is_folded(app)


def test_the_status_says_that_a_projection_is_kept_inline(app: Application) -> None:
    app.store.append("item-a", [Added(5)])

    found = status_of(app.store, app.engine.find("stock")[0])

    assert (found.consistency, found.state, found.lag) == ("inline", "live", 0)


def test_what_cannot_be_kept_inline_is_an_error_at_definition(sqlite_url: str) -> None:
    with pytest.raises(DefinitionError, match=r"ElasticsearchIndex\('stock'\) cannot be kept inline"):
        stock.into(ElasticsearchIndex("stock"), consistency="inline")
    with pytest.raises(DefinitionError, match="partitions: expected 1 where consistency is inline, got 2"):
        stock.into(SqlTable("stock"), consistency="inline", partitions=2)
    with pytest.raises(DefinitionError, match='expected "async" or "inline", got \'later\''):
        stock.into(SqlTable("stock"), consistency="later")  # type: ignore[arg-type]  # what is refused
    app = open_inline(sqlite_url, [stock.into(MemoryTable(), consistency="inline")])
    with pytest.raises(DefinitionError, match="rows are not in the log's own database, SQLite"):
        app.store.head()
    app.close()


def test_one_projection_may_have_targets_of_both_kinds(url: str) -> None:
    target: Any = SqlTable if needs_database(url) else MemoryTable
    chosen = [stock.into(target("stock"), consistency="inline"), stock.into(target("stock_later"))]
    with open_inline(url, chosen) as app:
        appended = app.store.append("item-a", [Added(5)])
        now, later = app.engine.find("stock")
        assert (now.generation.info.position, later.generation.info.position) == (appended.position, 0)

        app.catch_up()

        assert later.generation.info.position == appended.position
