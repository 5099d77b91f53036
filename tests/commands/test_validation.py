"""Bad commands: every faulty field is named at once, and nothing is stored."""

import enum
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest

from commands import read_command, validate
from eventfold import Command, Event, InvalidCommand, Meta, NoHandler, Struct, field
from tests.commands.bank import Deposit, Look
from tests.commands.conftest import Driver


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Line(Struct, frozen=True):
    sku: str
    count: Annotated[int, Meta(ge=1)]


class Order(Command):
    order_id: Annotated[str, Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1, le=9)]
    weight: float = 1.0
    lines: list[Line] = field(default_factory=list)
    stock: dict[int, int] = field(default_factory=dict)
    level: Level = Level.LOW
    note: str | None = None


class Everything(Command):
    text: str = "é\u2028🎈"
    number: int = -(2**53)
    ratio: float = 0.1
    flag: bool = True
    day: date = date(2024, 2, 29)
    instant: datetime = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    price: Decimal = Decimal("1.10")
    key: UUID = UUID(int=7)
    blob: bytes = b"\x00\xff"
    level: Level = Level.HIGH
    lines: list[Line] = field(default_factory=lambda: [Line("a", 1)])
    stock: dict[int, int] = field(default_factory=lambda: {1: 2})
    names: frozenset[str] = frozenset({"a"})
    nothing: None = None


def test_when_a_command_has_values_of_every_type_then_it_is_accepted() -> None:
    validate(Everything())


def test_when_several_fields_are_faulty_then_every_one_of_them_is_named() -> None:
    with pytest.raises(InvalidCommand) as caught:
        validate(Order("", 10, math.nan, [Line("a", 0)], level="low"))  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.command == "Order"
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "order_id",
        "count",
        "weight",
        "lines",
        "level",
    ]
    assert all(fault in str(caught.value) for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Order(7, 1), r"order_id: expected `str`, got 7"),
        (Order("o", True), r"count: expected `int`, got True"),
        (Order("o", 1.0), r"count: expected `int`, got 1\.0"),
        (Order("o", 10), r"count: expected `int` <= 9, got 10"),
        (Order("o", 1, math.inf), r"weight: expected a finite number, got inf"),
        (Order("o", 1, lines=[Line("a", 0)]), r"lines: expected `int` >= 1.*\[0\]\.count"),
        (Order("o", 1, lines=(Line("a", 1),)), r"lines: expected list.* got \("),
        (Order("o", 1, stock={"x": 1}), r"stock: .*int.*'x'"),
        (Order("o", 1, level="mid"), r"level: expected one of 'low', 'high', got 'mid'"),  # type: ignore[arg-type]  # wrong on purpose
        (Order("o", 1, note="\ud800"), r"note: .*surrogates"),
        (Order("o", 1, note=object()), r"note: .*object"),
        (Order("o", 1, note=math.nan), r"note: .*nan"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value)[:60],
)
def test_when_a_field_is_faulty_then_the_error_names_it_with_what_was_expected_and_found(
    command: Order, message: str
) -> None:
    with pytest.raises(InvalidCommand, match=message) as caught:
        validate(command)
    assert len(caught.value.faults) == 1


def test_given_json_when_fields_are_missing_unknown_and_faulty_then_each_is_named_at_once() -> None:
    with pytest.raises(InvalidCommand) as caught:
        read_command(Order, {"count": "many", "colour": "red", "lines": [{"sku": "a"}]})
    assert caught.value.faults == (
        "order_id: missing; expected str",
        "colour: unknown; expected one of order_id, count, weight, lines, stock, level, note",
        "count: expected `int`, got 'many'",
        "lines: object missing required field `count` at `[0]`, got [{'sku': 'a'}]",
    )


def test_given_json_for_a_command_without_fields_then_an_unknown_one_is_refused() -> None:
    class Tick(Command):
        pass

    with pytest.raises(InvalidCommand, match="Tick: colour: unknown; expected no fields"):
        read_command(Tick, {"colour": "red"})


def test_given_json_when_it_is_right_then_it_becomes_the_command() -> None:
    fields = {"order_id": "o", "count": 2, "lines": [{"sku": "a", "count": 1}], "stock": {"1": 2}, "level": "high"}
    assert read_command(Order, fields) == Order("o", 2, lines=[Line("a", 1)], stock={1: 2}, level=Level.HIGH)


@pytest.mark.parametrize("fields", [None, [], "text", 7])
def test_given_json_that_is_no_object_then_it_is_refused(fields: Any) -> None:
    with pytest.raises(InvalidCommand, match="expected an object of fields"):
        read_command(Order, fields)


class Paint(Command):
    colour: Literal["red", "blue"]
    coats: Literal[1, 2] = 1
    tone: Literal["light", "dark"] | None = None
    marks: list[Literal["x", "y"]] = field(default_factory=list)


def test_a_choice_that_there_is_is_accepted() -> None:
    validate(Paint("red", 2, "dark", ["x"]))
    assert read_command(Paint, {"colour": "blue", "tone": None}) == Paint("blue")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "colour: missing; expected one of 'red', 'blue'"),
        ({"colour": "green"}, "colour: expected one of 'red', 'blue', got 'green'"),
        ({"colour": 7}, "colour: expected `str`, got 7"),
        ({"colour": "red", "coats": 3}, "coats: expected one of 1, 2, got 3"),
        ({"colour": "red", "tone": "grey"}, "tone: expected one of 'light', 'dark', got 'grey'"),
        ({"colour": "red", "marks": ["x", "z"]}, "marks: invalid enum value 'z' at `[1]`, got ['x', 'z']"),
    ],
    ids=str,
)
def test_a_choice_that_there_is_not_is_refused_with_those_there_are(fields: Any, message: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        read_command(Paint, fields)
    assert caught.value.faults == (message,)


class Period(Command):
    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("last: expected a day not before first")


def test_given_json_when_the_class_itself_refuses_then_its_sentence_is_the_fault() -> None:
    with pytest.raises(InvalidCommand, match="Period: last: expected a day not before first"):
        read_command(Period, {"first": "2024-02-02", "last": "2024-01-01"})


def test_given_json_with_a_renamed_field_then_the_outer_name_is_the_one_that_counts() -> None:
    class Rename(Command, rename="camel"):
        order_id: str

    assert read_command(Rename, {"orderId": "o"}) == Rename("o")
    with pytest.raises(InvalidCommand, match=r"orderId: missing.*order_id: unknown"):
        read_command(Rename, {"order_id": "o"})


def test_when_a_faulty_command_is_dispatched_then_nothing_is_stored(app: Driver) -> None:
    with pytest.raises(InvalidCommand, match="amount: expected `int` >= 1, got -5"):
        app.dispatch(Deposit("a-1", -5))
    assert app.store.head() == 0


def test_when_the_id_cannot_name_a_stream_then_it_is_refused(app: Driver) -> None:
    with pytest.raises(ValueError, match="at least one character"):
        app.dispatch(Deposit("", 5))
    with pytest.raises(ValueError, match="printable"):
        app.dispatch(Deposit("a\0b", 5))
    assert app.store.head() == 0


def test_when_something_else_than_a_command_is_dispatched_then_it_is_refused(app: Driver) -> None:
    class Happened(Event):
        pass

    with pytest.raises(InvalidCommand, match="expected an instance of a Command class"):
        app.dispatch(Happened())  # type: ignore[arg-type]  # wrong on purpose


def test_when_nothing_handles_a_command_then_the_error_lists_what_is_handled(app: Driver) -> None:
    class Sneeze(Command):
        account_id: str

    with pytest.raises(NoHandler, match=r"nothing handles Sneeze \(handled: Deposit, Look, .*Subscribe"):
        app.dispatch(Sneeze("a-1"))


def test_a_command_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Look("a-1").account_id = "a-2"  # type: ignore[misc]  # wrong on purpose
