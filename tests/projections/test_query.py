"""Queries: every type comes back as it went in, and memory, SQLite and PostgreSQL give the answers of plain Python."""

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, NewType
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta, field

from eventfold import (
    Application,
    DefinitionError,
    Event,
    InvalidQuery,
    MemoryTable,
    NotYetVisible,
    ProjectionFailed,
    Recorded,
    SqlTable,
    Struct,
    UnknownModel,
    projection,
)
from eventstore import StoreBusy, Unsupported
from eventstore.token import token_of
from projections import Engine, ModelQuery
from projections.target import Change
from tests.projections.conftest import OpenShop
from tests.projections.shop import Added, Stock, Total, bindings, open_app


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Part(Struct, frozen=True):
    name: str
    tags: list[str] = field(default_factory=list)


Code = NewType("Code", str)


class Everything(Struct, frozen=True):
    key: str
    text: str = "é\u2028🎈'\"%s\\"
    order: int = -(2**63)
    camelCase: float = 0.1  # noqa: N815 - a mixed-case name must be quoted
    flag: bool = True
    day: date = date(1, 2, 3)
    at: datetime = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    price: Decimal = Decimal("12345678901234567890.10")
    ident: UUID = UUID(int=7)
    blob: bytes = b"\x00\xff"
    colour: Colour = Colour.BLUE
    size: Size = Size.LARGE
    part: Part | None = field(default_factory=lambda: Part("p", ["a"]))
    parts: list[Part] = field(default_factory=lambda: [Part("x")])
    counts: dict[str, int] = field(default_factory=lambda: {"b": 1, "a": 2})
    code: Code = Code("c-1")
    few: Annotated[int, Meta(ge=0)] | None = 3
    nothing: str | None = None


def table_of(store: Any, model: type[Any], name: str = "things", key: Any = lambda _recorded: None) -> Any:
    """Rows of a model, written straight into its table, and queries over them."""

    def fold(row: Any, recorded: Any) -> Any:
        return row

    fold.__annotations__ = {"row": model | None, "recorded": Recorded[Added]}
    bound = projection(name, key=key)(fold).into(SqlTable(name) if store.backend.sql is not None else MemoryTable(name))
    engine = Engine(store, [bound])
    return engine.tracks[0], ModelQuery[Any](engine, engine.tracks[0])


def write(track: Any, rows: dict[Any, Any]) -> None:
    at = track.generation.info.position
    assert track.generation.apply(Change(rows, at, at + 1, 1))


def test_every_type_comes_back_as_it_went_in(open_store: OpenShop) -> None:
    track, query = table_of(open_store(), Everything)
    whole = Everything("a")
    empty = Everything(
        "b", part=None, few=None, nothing="x", at=datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    )
    write(track, {"a": whole, "b": empty})
    assert query.all() == [whole, empty]
    assert track.generation.fetch(["a", "b", "c"]).rows == {"a": whole, "b": empty}
    for name in ("text", "order", "camelCase", "flag", "day", "at", "price", "ident", "blob", "colour", "size", "code"):
        assert query.where(key="a", **{name: getattr(whole, name)}).count() == 1, name
    many = {f"k{i}": Everything(f"k{i}", few=i) for i in range(150)}
    write(track, many)  # enough for the bulk way
    assert track.generation.fetch(list(many)).rows == many
    write(track, dict.fromkeys(many))
    assert query.count() == 2


@pytest.mark.parametrize("kind", [float, Decimal, bytes, Part, list[str], dict[str, int], str | int, Size], ids=str)
def test_a_type_that_cannot_be_a_key_is_an_error_when_the_projection_is_defined(kind: Any, sqlite_url: str) -> None:
    model = type("Odd", (Struct,), {"__annotations__": {"key": kind}}, frozen=True)
    with pytest.raises(DefinitionError, match="the first field, key, is the key: expected str, int"):
        projection("odd", key=str)(_fold_of(model))


def _fold_of(model: Any) -> Any:
    def fold(row: Any, recorded: Any) -> Any:
        return row

    fold.__annotations__ = {"row": model | None, "recorded": Recorded[Added]}
    return fold


def test_a_key_that_the_stream_cannot_give_is_an_error_when_the_projection_is_defined() -> None:
    with pytest.raises(
        DefinitionError, match=r"Total\.bucket is int, and without key= a row's key is the id of its stream"
    ):
        projection("odd")(_fold_of(Total))


class Thing(Struct, frozen=True):
    key: str
    text: str
    number: int | None
    price: Decimal
    at: datetime | None
    colour: Colour
    note: str | None


PRICES = [Decimal(text) for text in ("9", "10", "10.0", "-1.5", "0.30")]
TIMES = [datetime(2024, 1, 1, 5, tzinfo=UTC), datetime(2024, 1, 1, 6, tzinfo=timezone(timedelta(hours=3)))]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["", "a", "ab", "B", "é", "a%"]),
    "number": st.integers(-2, 2) | st.none(),
    "price": st.sampled_from(PRICES),
    "at": st.sampled_from(TIMES) | st.none(),
    "colour": st.sampled_from(Colour),
    "note": st.sampled_from(["x", "y"]) | st.none(),
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "": lambda a, b: bool(a == b),
    "__ne": lambda a, b: a is not None and a != b,
    "__lt": lambda a, b: a is not None and a < b,
    "__lte": lambda a, b: a is not None and a <= b,
    "__gt": lambda a, b: a is not None and a > b,
    "__gte": lambda a, b: a is not None and a >= b,
    "__in": lambda a, b: a in b,
    "__null": lambda a, b: (a is None) is b,
}
things = st.lists(st.builds(lambda **values: values, **VALUES), max_size=12)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, str, Any]:
    name, operator = draw(st.sampled_from(list(VALUES))), draw(st.sampled_from(list(COMPARE)))
    if operator == "__null":
        return name, operator, draw(st.booleans())
    value = VALUES[name].filter(lambda each: each is not None)
    return name, operator, draw(st.lists(value, max_size=3) if operator == "__in" else value)


orders = st.lists(st.tuples(st.booleans(), st.sampled_from([*VALUES, "key"])), max_size=3)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def things_table(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        with Application("memory://") as app:
            yield table_of(app.store, Thing)
    else:
        url = request.getfixturevalue(f"{'postgres' if request.param == 'postgresql' else 'sqlite'}_url")
        with open_app(url) as app:
            yield table_of(app.store, Thing)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=things, wanted=st.lists(conditions(), max_size=2), order=orders, size=st.integers(1, 5))
def test_any_query_gives_the_answer_of_plain_python(
    things_table: Any, made: list[dict[str, Any]], wanted: list[Any], order: list[tuple[bool, str]], size: int
) -> None:
    track, query = things_table
    rows = {f"k{i}": Thing(f"k{i}", **values) for i, values in enumerate(made)}
    write(track, {**{f"k{i}": None for i in range(12)}, **rows})
    matching = list(rows.values())
    for name, operator, value in wanted:
        query = query.where(**{name + operator: value})
        matching = [row for row in matching if COMPARE[operator](getattr(row, name), value)]
    expected = sorted(matching, key=lambda row: row.key)
    for descending, name in reversed(order):
        expected.sort(
            key=lambda row: (getattr(row, name) is not None, getattr(row, name)),
            reverse=descending,
        )
    query = query.order_by(*[f"{'-' if descending else ''}{name}" for descending, name in order])
    assert query.all() == expected
    assert query.count() == len(expected)
    assert query.limit(size).all() == expected[:size]
    paged, cursor = [], None
    while True:
        page = query.page(size=size, cursor=cursor)
        paged += page.items
        cursor = page.next
        if cursor is None:
            break
        assert len(page.items) == size
    assert paged == expected


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_limit_of_a_query_is_the_size_of_its_page(kind: str, sqlite_url: str) -> None:
    with open_app("memory://" if kind == "memory" else sqlite_url) as app:
        for item in "abc":
            app.store.append(f"item-{item}", [Added(1)])
        query = app.query(Stock).limit(2)

        first = query.page(after=token_of_head(app))
        second = query.page(cursor=first.next)

        assert [[row.item for row in page.items] for page in (first, second)] == [["a", "b"], ["c"]]
        assert second.next is None


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda q: q.where(colour="red"), "Stock has no field 'colour'; it has item, amount, steps, note"),
    (lambda q: q.where(amount__like=1), "expected one of the operators eq, ne"),
    (lambda q: q.where(amount="many"), "amount: Expected `int`, got `str`"),
    (lambda q: q.where(amount__lt=None), "expected a value, got None; use amount__null=False"),
    (lambda q: q.where(note__in=["a", None]), "expected a value, got None"),
    (lambda q: q.where(note__in="abc"), "expected a list of values"),
    (lambda q: q.where(amount__prefix="1"), "expected text on a text field"),
    (lambda q: q.where(note__null="yes"), "expected True or False"),
    (lambda q: q.where(amount=2**63), "amount: expected an integer of 64 bits"),
    (lambda q: q.where(note="a\0b"), "note: expected text without NUL"),
    (lambda q: q.where(note="\ud800"), "note: expected text without NUL and lone surrogates"),
    (lambda q: q.order_by("colour"), "has no field 'colour'"),
    (lambda q: q.limit(-1), "limit: expected an integer >= 0, got -1"),
    (lambda q: q.limit(True), "limit: expected an integer >= 0, got True"),
    (lambda q: q.get(7), "item: Expected `str`, got `int`"),
    (lambda q: q.page(size=0), "page: size: expected an integer from 1 to 100,000, got 0"),
    (lambda q: q.limit(0).page(), "page: limit: expected an integer from 1 to 100,000, got 0"),
    (
        lambda q: q.limit(3).page(size=2),
        r"page: the query's limit\(3\) is the size of a page already; leave out size=2",
    ),
    (lambda q: q.page(cursor="nonsense"), "cursor: expected the `next` of a page, got 'nonsense'"),
    (lambda q: q.page(cursor=q.order_by("-amount").page(size=1).next), "cursor: it belongs to the order"),
    (lambda q: q.page(after=q.page(size=1).next), "token: expected the token of a receipt"),
    (lambda q: q.get("a", after="nonsense"), "token: expected"),
]


@pytest.mark.parametrize(("ask", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_query_that_does_not_fit_the_model_is_refused(
    kind: str, sqlite_url: str, ask: Callable[[Any], Any], message: str
) -> None:
    with open_app("memory://" if kind == "memory" else sqlite_url) as app:
        app.store.append("item-a", [Added(1)])
        app.store.append("item-b", [Added(2)])
        app.catch_up()
        with pytest.raises(ValueError, match=message):
            ask(app.query(Stock))


@pytest.mark.parametrize("name", ["part", "parts", "counts", "size"])
def test_values_without_an_order_cannot_be_sorted_or_compared(open_store: OpenShop, name: str) -> None:
    _, query = table_of(open_store(), Everything)
    with pytest.raises(InvalidQuery, match=f"order_by: {name} is .*no order"):
        query.order_by(name)
    with pytest.raises(InvalidQuery, match=f"lt: {name} is .*no order"):
        query.where(**{f"{name}__lt": "x"})


def test_naive_times_are_refused_in_rows_and_in_queries(open_store: OpenShop) -> None:
    track, query = table_of(open_store(), Everything)
    naive = datetime(2024, 1, 1)  # noqa: DTZ001 - the fault itself
    with pytest.raises(InvalidQuery, match="at: expected a datetime with a time zone"):
        query.where(at=naive)
    with pytest.raises(ValueError, match="expected a datetime with a time zone"):
        write(track, {"a": Everything("a", at=naive)})


def test_the_view_and_the_table_serve_plain_sql(url: str) -> None:
    with open_app(url) as app:
        app.store.append("item-a", [Added(5)])
        query = app.query(Stock)
        app.catch_up()
        assert app.store.backend.sql is not None
        with app.store.backend.sql.reading() as connection:
            assert connection.exec_driver_sql("SELECT item, amount FROM stock").fetchall() == [("a", 5)]
            assert connection.execute(query.table.select()).fetchall() == [("a", 5, 1, None)]
        assert query.where(query.table.c.amount + 1 == 6).all() == [Stock("a", 5, 1)]


def test_rows_in_memory_have_no_table() -> None:
    with open_app("memory://") as app:
        with pytest.raises(InvalidQuery, match="not kept in a SQL table"):
            _ = app.query(Stock).table
        with pytest.raises(InvalidQuery, match="takes no SQLAlchemy expressions"):
            app.query(Stock).where(object()).all()


def test_a_log_in_memory_refuses_sql_tables_when_the_application_is_made() -> None:
    with pytest.raises(
        DefinitionError,
        match=r"projection 'stock': SqlTable\('stock'\) keeps its rows in .* log is in memory.*use MemoryTable",
    ):
        Application("memory://", projections=bindings(SqlTable))


def test_an_application_over_sql_tables_cannot_turn_to_a_log_in_memory(sqlite_url: str) -> None:
    with (
        Application(sqlite_url, projections=bindings(SqlTable)) as app,
        pytest.raises(DefinitionError, match="keeps its rows in the log's own SQL database"),
    ):
        app.parts.use_database("memory://")


def test_an_engine_over_a_log_in_memory_refuses_sql_tables() -> None:
    with (
        Application("memory://") as app,
        pytest.raises(Unsupported, match=r"SqlTable\('stock'\) needs a SQL database.*use MemoryTable"),
    ):
        Engine(app.store, bindings(SqlTable))


def test_a_model_that_nobody_keeps_is_an_error() -> None:
    with (
        open_app("memory://") as app,
        pytest.raises(UnknownModel, match=r"no projection keeps Part \(there are: Stock"),
    ):
        app.query(Part)


@pytest.mark.parametrize("working", [False, True], ids=["alone", "beside a worker"])
def test_a_write_is_visible_after_its_token(url: str, working: bool) -> None:
    with open_app(url) as app, open_app(url) as elsewhere:
        worker = elsewhere.worker().start() if working else None
        for total in range(1, 30):
            app.store.append("item-a", [Added(1)])
            token = token_of_head(app)
            assert app.query(Stock).get("a", after=token) == Stock("a", total, total)
        if worker is not None:
            worker.stop()


def token_of_head(app: Application) -> str:
    return token_of(app.store.head())


def test_when_the_write_does_not_become_visible_in_time_then_the_error_or_the_stale_answer_is_given(url: str) -> None:
    with open_app(url) as app:
        app.store.append("item-a", [Added(1)])
        query, far = app.query(Stock), token_of(app.store.head() + 1000)
        with pytest.raises(
            NotYetVisible, match=r"'stock' stands at position 1, and position 1001 .* within 0 s"
        ) as caught:
            query.get("a", after=far, timeout=0)
        assert (caught.value.projection, caught.value.reached, caught.value.status) == ("stock", 1, 503)
        assert query.get("a", after=far, timeout=0, stale=True) == Stock("a", 1, 1)
        assert query.count(after=far, timeout=0, stale=True) == 1
        assert query.page(after=far, timeout=0, stale=True).items == [Stock("a", 1, 1)]


def test_while_somebody_else_holds_the_rows_then_the_stale_answer_is_given_or_the_lock_named_or_waited_for(
    url: str,
) -> None:
    kept = bindings(SqlTable)
    with Application(url, projections=kept, migrate=True, busy_seconds=0.05) as app, open_app(url) as other:
        app.store.append("item-a", [Added(1)])
        app.catch_up()
        app.store.append("item-a", [Added(1)])
        query, token = app.query(Stock), token_of_head(app)

        assert other.store.backend.sql is not None
        with other.store.backend.sql.transaction() as held:
            held.exec_driver_sql("UPDATE eventfold_checkpoints SET error = NULL")
            assert query.get("a", after=token, timeout=0, stale=True) == Stock("a", 1, 1)
            with pytest.raises(StoreBusy, match="raise `busy_seconds`"):
                query.get("a", after=token, timeout=0)

        assert query.get("a", after=token) == Stock("a", 2, 2)


def test_when_the_projection_stands_still_before_the_write_then_waiting_for_it_says_why(url: str) -> None:
    class Bad(Event):
        pass

    @projection("fragile")
    def fragile(row: Stock | None, recorded: Recorded[Added | Bad]) -> Stock | None:
        if isinstance(recorded.event, Bad):
            raise ArithmeticError("bad")  # noqa: TRY004 - any error
        return Stock(recorded.stream_id, recorded.event.amount)

    with open_app(url, [fragile.into(SqlTable("fragile"))]) as app:
        app.store.append("item-a", [Added(1), Bad(), Added(2)])
        with pytest.raises(ProjectionFailed, match="bad"):
            app.query(Stock).get("a", after=token_of_head(app))
        assert app.query(Stock).get("a", after=token_of_head(app), stale=True) == Stock("a", 1)
