"""Rows whose values do not fit their model are refused before they are stored, and the event is named."""

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest

from eventfold import EventStore, MemoryTable, ProjectionFailed, Recorded, SqlTable, Struct, projection
from projections import Engine, rebuild, status_of
from projections.model import model_of
from projections.row_check import RowCheck
from tests.projections.shop import STANDS_STILL, Added, Stock, bindings, position_of, rows_of


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Part(Struct, frozen=True):
    name: str


class Wide(Struct, frozen=True):
    key: str
    text: str = "x"
    whole: int = 1
    part: float = 0.5
    flag: bool = True
    day: date = date(2024, 1, 1)
    at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    price: Decimal = Decimal(1)
    ident: UUID = UUID(int=1)
    blob: bytes = b"x"
    colour: Colour = Colour.RED
    piece: Part = Part("p")
    pieces: list[Part] = msgspec.field(default_factory=list)
    level: Level = Level.LOW
    maybe: int | None = None
    maybe_piece: Part | None = None


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001 - the fault itself
RIGHT = [
    {},
    {"text": Colour.RED},
    {"whole": Level.LOW},
    {"part": 1},
    {"part": float("inf")},
    {"maybe": 1},
    {"maybe_piece": Part("q")},
    {"pieces": [Part("a"), Part("b")]},
]
WRONG: list[tuple[str, Any, str]] = [
    ("text", 1, r"expected str, got 1 \(int\)"),
    ("text", None, r"expected str, got None \(NoneType\)"),
    ("whole", "1", r"expected int, got '1' \(str\)"),
    ("whole", 1.0, r"expected int, got 1.0 \(float\)"),
    ("whole", True, r"expected int, got True \(bool\)"),
    ("part", True, r"expected float, not NaN, got True \(bool\)"),
    ("part", float("nan"), r"expected float, not NaN, got nan \(float\)"),
    ("part", Decimal(1), r"expected float"),
    ("flag", 1, r"expected bool, got 1 \(int\)"),
    ("day", "2024-01-01", r"expected date, got '2024-01-01' \(str\)"),
    ("day", datetime(2024, 1, 1, 5, tzinfo=UTC), r"expected date, got datetime.datetime"),
    ("at", date(2024, 1, 1), r"expected datetime with a time zone, got datetime.date"),
    ("at", NAIVE, r"expected datetime with a time zone, got datetime.datetime"),
    ("price", 1.5, r"expected Decimal, got 1.5 \(float\)"),
    ("ident", str(UUID(int=1)), r"expected UUID"),
    ("blob", "x", r"expected bytes"),
    ("colour", "red", r"expected Colour, got 'red' \(str\)"),
    ("piece", None, r"expected Part: there is no None, got None"),
    ("piece", Part(3), r"expected Part: Expected `str`, got `int` - at `\$.name`, got Part\(name=3\)"),  # type: ignore[arg-type]
    ("pieces", Part("a"), r"expected list\[.*Part\]: Expected `array`"),
    ("pieces", [Part("a"), 3], r"Expected `object`, got `int` - at `\$\[1\]`"),
    ("pieces", [3j], r"Encoding objects of type complex is unsupported"),
    ("level", 7, r"expected Level: Invalid enum value 7"),
    ("maybe", "1", r"expected int or None, got '1' \(str\)"),
    ("maybe_piece", {"nom": "x"}, r"expected Part or None: Object missing required field `name`"),
]


@pytest.mark.parametrize("values", RIGHT, ids=str)
def test_a_row_that_fits_its_model_passes(values: dict[str, Any]) -> None:
    check, row = RowCheck(model_of(Wide)), Wide("a", **values)

    assert check.passes([Wide("b"), row])
    assert check.fault(row) is None


@pytest.mark.parametrize(("name", "value", "message"), WRONG, ids=lambda each: str(each)[:30])
def test_a_row_with_a_value_of_another_type_does_not(name: str, value: Any, message: str) -> None:
    check, row = RowCheck(model_of(Wide)), Wide("a", **{name: value})

    assert not check.passes([Wide("b"), row, Wide("c")])
    with pytest.raises(AssertionError, match=rf"Wide\.{name}: .*{message}"):
        raise AssertionError(check.fault(row))


@projection("loose")
def loose(row: Stock | None, recorded: Recorded[Added]) -> Stock:
    amount: Any = recorded.event.amount
    return Stock(recorded.stream_id, str(amount) if amount == 13 else amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [1, 2, 5000])
def test_given_a_fold_that_makes_a_wrong_row_then_the_event_is_named_and_the_rows_before_it_are_stored(
    store: EventStore, batch_size: int
) -> None:
    store.append("item-b", [Added(1)])
    store.append("item-a", [Added(2), Added(13), Added(4), Added(13)])
    engine = Engine(store, [loose.into(SqlTable("loose"), poison=STANDS_STILL), *bindings()], batch_size=batch_size)

    with pytest.raises(
        ProjectionFailed,
        match=r"'loose' failed on the event at position \d+, key 'a': Stock\.amount: expected int, got '13' \(str\)",
    ) as caught:
        engine.catch_up()

    faulty = [each for each in store.read_log() if each.event == Added(13)]
    assert caught.value.position in {each.position for each in faulty}
    assert rows_of(engine, "loose")["b"] == Stock("b", 1)
    assert all(isinstance(row.amount, int) for row in rows_of(engine, "loose").values())
    assert position_of(engine, "loose") == caught.value.position - 1
    assert position_of(engine, "stock") == store.head()
    assert "Stock.amount" in str(status_of(store, engine.find("loose")[0]).error)


def test_given_a_fold_that_makes_a_wrong_row_then_a_rebuild_stops_and_the_live_rows_are_untouched(
    store: EventStore,
) -> None:
    store.append("item-a", [Added(2)])
    engine = Engine(store, [loose.into(SqlTable("loose"))])
    engine.catch_up()
    store.append("item-a", [Added(13)])

    with pytest.raises(ProjectionFailed, match=r"Stock\.amount: expected int, got '13'"):
        rebuild(store, engine.tracks[0])

    assert rows_of(engine, "loose") == {"a": Stock("a", 2)}


def test_rows_in_memory_are_checked_as_well(store: EventStore) -> None:
    store.append("item-a", [Added(13)])
    engine = Engine(store, [loose.into(MemoryTable(), poison=STANDS_STILL)])

    with pytest.raises(ProjectionFailed, match=r"Stock\.amount: expected int"):
        engine.catch_up()


def test_given_a_fold_that_depends_on_something_else_then_that_is_said(store: EventStore) -> None:
    calls = count()

    @projection("moody")
    def moody(row: Stock | None, recorded: Recorded[Added]) -> Stock:
        return Stock(recorded.stream_id, 1 if next(calls) else "1")  # type: ignore[arg-type]

    store.append("item-a", [Added(1)])
    engine = Engine(store, [moody.into(SqlTable("moody"), poison=STANDS_STILL)])

    with pytest.raises(ProjectionFailed, match="it made another row of the same events when it was asked again"):
        engine.catch_up()
