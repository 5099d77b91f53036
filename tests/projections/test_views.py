"""Reporting views: over the live generations at any time, made, swapped, refreshed and dropped as a whole."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from eventfold import (
    Application,
    DefinitionError,
    InvalidQuery,
    MemoryTable,
    NeedsRebuild,
    Recorded,
    ReportingView,
    SqlTable,
    Struct,
    UnknownModel,
    ViewRefused,
    count_of,
    max_of,
    projection,
)
from eventstore.token import token_of
from projections import prune, rebuild, rollback
from tests.projections.shop import EVENTS, Added, Stock, bindings, fill, stock, totals

SUMS = "SELECT note, sum(amount) AS amount, count(*) AS items, sum(steps) AS steps FROM {stock} GROUP BY note"
ALL = "SELECT 1 AS one, sum(steps) AS steps, count(*) AS items FROM {stock}"


class Steps(Struct, frozen=True):
    one: int
    steps: int | None
    items: int


def view(sql: str = ALL, **options: Any) -> ReportingView:
    return ReportingView("steps", sql, over=["stock"], **{"model": Steps, **options})


KINDS = [
    pytest.param({}, id="plain"),
    pytest.param({"materialized": True}, id="materialized"),
    pytest.param({"materialized": True, "model": None}, id="materialized without a key"),
]


def open_app(url: str, *views: ReportingView, projections: Any = None) -> Application:
    chosen = bindings() if projections is None else projections
    return Application(url, projections=chosen, views=views, events=EVENTS, migrate=True)


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with open_app(url, view()) as app:
        fill(app.store, 40)
        yield app


def write(app: Application, events: int) -> str:
    return token_of(app.store.append("item-a", [Added(1)] * events).position)


def steps_of(app: Application) -> int:
    return sum(each.steps for each in app.query(Stock).all())


def row_of(app: Application) -> Any:
    (row,) = app.view("steps").all()
    return row


@pytest.mark.parametrize("options", KINDS)
def test_it_shows_what_the_tables_hold_and_rebuilds_swap_it(url: str, options: dict[str, Any]) -> None:
    with open_app(url, view(**options)) as app:
        fill(app.store, 40)
        app.catch_up()

        row = row_of(app)

        assert (row.steps, row.items) == (steps_of(app), len(app.query(Stock).all()))
        (status,) = app.views()
        assert (status.state, status.position, status.lag, status.tables) == ("live", app.store.head(), 0, ["stock"])
        fill(app.store, 20, seed=40)
        app.rebuild("stock")
        assert row_of(app).steps == steps_of(app) != row.steps
        for _ in range(2):
            app.rebuild("stock")
        prune(app.engine.find("stock")[0])
        assert row_of(app).steps == steps_of(app)
        assert [each.state for each in app.views()] == ["live"]
        app.reset("stock")
        assert row_of(app).items == 0


def test_it_is_a_query_like_others(app: Application) -> None:
    app.catch_up()
    by_note = ReportingView("notes", SUMS, over=["stock"], unique="note")
    with open_app(app.parts.url, view(), by_note) as other:
        notes = other.view("notes")
        assert (
            other.query(Steps).get(1)
            == other.view("steps").first()
            == Steps(1, steps_of(app), len(other.query(Stock).all()))
        )
        assert other.query(Steps).where(steps__gt=10**6).all() == []
        assert other.query(Steps).where(steps__gt=0).count() == 1
        assert notes.count() == len(notes.all()) == len({each.note for each in app.query(Stock).all()})
        assert [each.note for each in notes.where(note__null=True)] == [None]
        first = notes.page(size=1)
        assert first.next is not None
        assert [*first.items, *notes.page(cursor=first.next, size=100).items] == notes.all()
        assert other.query(Steps).aggregate(most=max_of("steps"), rows=count_of()) == {"most": steps_of(app), "rows": 1}
        assert "steps" in notes.table.c
        with pytest.raises(InvalidQuery, match="has no past"):
            notes.as_of(position=3)
        with pytest.raises(InvalidQuery, match="not in a search index"):
            notes.search("tea")
        with pytest.raises(UnknownModel, match=r"no reporting view is called 'other' .there are: steps, notes"):
            other.view("other")


@pytest.mark.parametrize("options", KINDS)
def test_a_query_after_a_write_contains_it(url: str, options: dict[str, Any]) -> None:
    with open_app(url, view(**options)) as app:
        app.store.append("item-a", [Added(1)])
        assert row_of(app).steps is None
        token = write(app, 3)

        assert app.view("steps").all(after=token)[0].steps == 4
        session = app.session(write(app, 1))
        assert session.view("steps").all()[0].steps == 5


def test_a_materialised_one_stands_still_until_it_is_refreshed(url: str) -> None:
    with open_app(url, view(materialized=True)) as app:
        app.store.append("item-a", [Added(1)])
        app.catch_up()
        app.store.append("item-a", [Added(1)] * 2)
        app.catch_up()

        assert row_of(app) == Steps(1, 1, 1)
        (before,) = app.views()
        assert (before.position, before.lag, before.events_behind) == (1, 2, 2)
        assert app.refresh("steps")
        assert row_of(app) == Steps(1, 3, 1)
        (after,) = app.views()
        assert (after.position, after.lag, after.events_behind) == (3, 0, 0)
        assert before.refreshed_at is not None
        assert after.refreshed_at is not None
        assert after.refreshed_at > before.refreshed_at


@pytest.mark.parametrize("every", [{"refresh_events": 3}, {"refresh_seconds": 0.02}], ids=["events", "seconds"])
def test_workers_refresh_it_when_it_is_time(url: str, every: dict[str, Any]) -> None:
    with (
        open_app(url, view(materialized=True, **every)) as app,
        open_app(url, view(materialized=True, **every)) as other,
    ):
        with app.worker(), other.worker():
            for wanted in (3, 6, 9):
                app.store.append("item-a", [Added(1)] * 3)
                while app.view("steps").all() != [Steps(1, wanted, 1)]:
                    threading.Event().wait(0.01)
        (status,) = app.views()
        assert (status.state, status.events_behind, status.position) == ("live", 0, 9)


BAD = {
    "SELECT 1 AS one, missing FROM {stock}": "missing",
    "SELECT 1 AS one FROM {stock}": "steps",
    "SELEKT * FROM {stock}": "syntax error",
    "SELECT 1 AS one FROM {stock}; DROP TABLE nothing": "syntax error|multiple commands|one statement",
    "DELETE FROM {stock}": "syntax error",
}


def test_bad_sql_is_refused_by_the_views_name_and_nothing_is_made(url: str) -> None:
    for sql, reason in BAD.items():
        with open_app(url, view(sql)) as app:
            token = write(app, 1)
            with pytest.raises(ViewRefused, match=f"reporting view 'steps': the database refuses it: .*({reason})"):
                app.catch_up()

            with pytest.raises(ViewRefused):
                app.view("steps")
            assert app.query(Stock).count(after=token) == 1
            (status,) = app.views()
            assert status.state == "failed"
            assert "the database refuses it" in str(status.error)
            with pytest.raises(Exception, match="steps"):
                raw(app)


def test_changed_sql_replaces_the_view_at_the_next_start(url: str) -> None:
    with open_app(url, view("SELECT 1 AS one, 5 AS steps, 7 AS items FROM {stock} LIMIT 1")) as app:
        fill(app.store, 3)
        app.catch_up()
        assert row_of(app) == Steps(1, 5, 7)
    plain = {"unique": ["one", "steps"]}
    for options in ({}, {"materialized": True}, {"materialized": True, **plain}, plain):
        with open_app(url, view(ALL, **options)) as app:
            assert [each.state for each in app.views()] == ["outdated"]
            assert row_of(app).steps == steps_of(app)
            assert [each.state for each in app.views()] == ["live"]
    with open_app(url, view("SELECT 1 AS one, nothing FROM {stock}")) as app, pytest.raises(ViewRefused):
        app.catch_up()
    with open_app(url, view(**plain)) as app:
        assert row_of(app).steps == steps_of(app)
        assert [(each.state, each.error) for each in app.views()] == [("live", None)]


@pytest.mark.parametrize("options", KINDS)
def test_of_two_versions_with_different_sql_the_newer_one_keeps_it_and_the_older_one_says_so(
    url: str, options: dict[str, Any]
) -> None:
    newer_sql = ALL.replace("sum(steps)", "-sum(steps)")
    with open_app(url, view(**options)) as older, open_app(url, view(newer_sql, **options)) as newer:
        fill(older.store, 20)
        older.catch_up()
        assert row_of(older).steps == steps_of(older)
        assert row_of(newer).steps == -steps_of(older)

        for _ in range(2):
            assert newer.engine.views["steps"].refresh_if_due() is None
            with pytest.raises(NeedsRebuild, match=r"by a newer version .* `eventfold views refresh steps`"):
                older.engine.views["steps"].refresh_if_due()
            with pytest.raises(NeedsRebuild, match="'steps' was made of other SQL"):
                row_of(older)
            assert older.refresh("steps") is False
            older.rebuild("stock")
            (row,) = newer.view("steps").all(after=write(older, 3))
            assert row.steps == -steps_of(newer)
        (told,), (fine,) = older.views(), newer.views()
        assert (told.state, told.error) == (
            "outdated",
            "a newer version of the code has made it of other SQL, and keeps it",
        )
        assert (fine.state, fine.error) == ("live", None)

        assert older.engine.views["steps"].refresh(back=True)
        assert row_of(older).steps == steps_of(older)
        with pytest.raises(NeedsRebuild, match="'steps' was made of other SQL"):
            row_of(newer)
        with newer.worker():
            while [each.state for each in newer.views()] != ["live"]:
                threading.Event().wait(0.01)
        assert row_of(newer).steps == -steps_of(newer)


class LaterStock(Struct, frozen=True):
    item: str
    moves: int = 0


def later() -> Any:
    def fold(row: LaterStock | None, recorded: Recorded[Added]) -> LaterStock | None:
        return LaterStock(recorded.stream_id, 1 + (row.moves if row else 0))

    return projection("stock", version=2, key=lambda recorded: recorded.stream_id)(fold)


def test_given_another_model_then_readers_have_the_former_rows_until_the_swap(url: str) -> None:
    both = "SELECT 1 AS one, (SELECT sum(steps) FROM {stock}) AS steps, (SELECT count(*) FROM {totals}) AS items"
    first = ReportingView("steps", both, over=[stock, totals], model=Steps)
    new_stock = later()
    second = ReportingView("steps", both.replace("sum(steps)", "sum(moves)"), over=[new_stock, totals], model=Steps)
    with open_app(url, first) as app:
        fill(app.store, 40)
        app.catch_up()
        old = row_of(app)
    bound = [new_stock.into(SqlTable("stock")), totals.into(SqlTable("totals"))]
    with open_app(url, second, projections=bound) as app:
        assert [each.state for each in app.views()] == ["waiting"]
        assert raw(app) == tuple(getattr(old, name) for name in ("one", "steps", "items"))
        app.rebuild("stock")
        assert [each.state for each in app.views()] == ["live"]
        assert row_of(app).steps == sum(each.moves for each in app.query(LaterStock).all()) != old.steps


def raw(app: Application) -> tuple[Any, ...]:
    """What another program sees."""
    assert app.store.backend.sql is not None
    with app.store.backend.sql.reading() as connection:
        return tuple(connection.execute(text("SELECT one, steps, items FROM steps")).one())


def test_a_rebuild_with_sql_that_does_not_fit_is_refused_before_it_begins(url: str) -> None:
    with open_app(url, view()) as app:
        fill(app.store, 10)
        app.catch_up()
        old = row_of(app)
    with open_app(
        url, view("SELECT 1 AS one, steps, 2 AS items FROM {stock}"), projections=[later().into(SqlTable("stock"))]
    ) as app:
        with pytest.raises(ViewRefused, match="steps"):
            app.rebuild("stock")
        assert raw(app) == (1, old.steps, old.items)
        assert [each.state for each in app.engine.find("stock")[0].target.generations()] == ["live"]


def test_given_a_view_that_is_declared_no_more_then_it_goes_with_the_rows_that_it_shows(url: str) -> None:
    with open_app(url, view(materialized=True)) as app:
        fill(app.store, 10)
        app.catch_up()
        rows = raw(app)
    with open_app(url) as app:
        app.rebuild("stock")
        assert raw(app) == rows
        prune(app.engine.find("stock")[0])
        with pytest.raises(Exception, match="steps"):
            raw(app)


def test_a_rollback_takes_it_back_too(app: Application) -> None:
    app.catch_up()
    app.rebuild("stock")
    track = app.engine.find("stock")[0]
    rollback(app.store, track)
    assert row_of(app).steps == steps_of(app)
    assert [each.state for each in track.target.generations()] == ["live", "retired"]


@pytest.mark.parametrize("options", KINDS)
def test_while_it_is_rebuilt_and_refreshed_readers_see_no_error_and_nothing_older(
    url: str, options: dict[str, Any]
) -> None:
    wrong, done, seen = list[Any](), threading.Event(), list[int]()
    with open_app(url, view(**options)) as app:
        app.store.append("item-a", [Added(1)])
        app.catch_up()
        row_of(app)
        database = app.store.backend.sql
        assert database is not None

        def read() -> None:
            last = 0
            try:
                while not done.is_set():
                    with database.reading(together=True) as connection:
                        for sql in (
                            "SELECT steps FROM steps",
                            "SELECT sum(steps) FROM stock",
                            "SELECT steps FROM steps",
                        ):
                            steps = int(connection.execute(text(sql)).scalar_one())
                    assert steps >= last, f"{steps} after {last}"
                    last = steps
                    seen.append(steps)
            except Exception as error:  # noqa: BLE001 - reported below
                wrong.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for each in readers:
            each.start()
        for _ in range(4):
            app.store.append("item-a", [Added(1)])
            app.catch_up()
            app.refresh("steps")
            app.store.append("item-a", [Added(1)])
            rebuild(app.store, app.engine.find("stock")[0])
        done.set()
        for each in readers:
            each.join()
        assert wrong == []
        assert row_of(app).steps == 9 == steps_of(app)
        assert len(seen) > 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReportingView("Big Name", ALL, over=[stock]), "expected a name of at most 40 characters"),
        (lambda: view(" "), "expected the SQL of a SELECT"),
        (lambda: view("SELECT * FROM {stock"), "braces do not match"),
        (lambda: view("SELECT * FROM {stock.item}"), "expected the name of a table in braces"),
        (lambda: view("SELECT 1"), "names no table"),
        (lambda: ReportingView("steps", ALL, over=[]), "over: expected a list of the read models"),
        (lambda: ReportingView("steps", ALL, over=[7]), "over: expected projections, models or names"),  # type: ignore[list-item]  # on purpose
        (lambda: view(unique="other"), "unique: Steps has no field 'other'"),
        (lambda: view(refresh_events=0, materialized=True), "refresh_events: expected a number above 0, got 0"),
        (lambda: view(refresh_seconds=60), "a plain view has nothing to refresh"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_declared(make: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([ReportingView("stock", ALL, over=[stock])], "the name is taken"),
        ([view(), view()], "the name is taken"),
        ([view("SELECT * FROM {totals}")], r"\{totals\} is none of the read models in over= .there are: stock"),
        ([ReportingView("steps", ALL, over=[stock, totals])], "over= names totals, which the SQL does not read"),
        ([ReportingView("steps", "SELECT * FROM {other}", over=["other"])], "none that are SQL tables"),
    ],
)
def test_what_does_not_fit_the_application_is_refused_when_it_is_put_together(
    views: Any, message: str, sqlite_url: str
) -> None:
    with open_app(sqlite_url, *views) as app, pytest.raises(DefinitionError, match=message):
        _ = app.engine


def test_rows_in_memory_have_no_views() -> None:
    memory = [stock.into(MemoryTable("stock"))]
    with (
        Application("memory://", projections=memory, views=[view()]) as app,
        pytest.raises(DefinitionError, match="none that are SQL tables"),
    ):
        _ = app.engine
