import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec
import pytest

from eventstore import InvalidInput, Unsupported
from eventstore.expression import MAX_LENGTH, compile_condition


class Tier(StrEnum):
    GOLD = "gold"


class Line(msgspec.Struct, frozen=True):
    name: str
    cents: int


class Order(msgspec.Struct, frozen=True):
    total: int = 7
    rate: float = 0.5
    price: Decimal = Decimal("9.99")
    tier: Tier = Tier.GOLD
    day: date = date(1997, 3, 1)
    at: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC)
    took: timedelta = timedelta(minutes=5)
    lines: tuple[Line, ...] = (Line("tea", 300),)
    stock: dict[str, int] = msgspec.field(default_factory=lambda: {"a-1": 3})
    tags: frozenset[str] = frozenset({"new"})
    owner: str | None = None


@pytest.mark.parametrize(
    "text",
    [
        "state.total == 7 && !(state.total < 0)",
        "state.rate > 0 && state.total > 6.5",
        "double(state.price) < 10.0",
        "state.tier == 'gold' || false",
        "state.day < '1997-04-01'",
        "state.at > timestamp('2024-05-01T00:00:00Z')",
        "state.took >= duration('300s')",
        "state.lines.exists(line, line.cents > 200)",
        "size(state.lines) == 1 && state.lines[0].name.startsWith('t')",
        "state.stock['a-1'] == 3",
        "'new' in state.tags",
        "state.owner == null",
        "state.owner != 'ada'",
        "state.total == 7.0 && 7 == state.total",
        "3 == state.stock['a-1'] && size(state.tags) == 1 && 'tea' == state.lines[0].name",
        "state.tier != 'state.total == \\'7\\''",
        "'b' in state.stock ? false : true",
    ],
)
def test_a_condition_sees_values_of_every_kind(text: str) -> None:
    assert compile_condition(text)(Order()) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state.total <", "column 14: mismatched input '<EOF>'"),
        ("state.total > 1 and true", "column 17: mismatched input 'and'"),
        ("state.total\n =< 1", "line 2, column 2: token recognition error at: '=<'"),
        ("", "expected an expression"),
        ("  ", "expected an expression"),
        ("1+" * MAX_LENGTH + "1", "1 to 1,000 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_column(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        compile_condition(text)

    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state.totl < 0", "Order has no field 'totl' (it has: total, rate, price,"),
        ("total < 0", "'total'"),
        ("state.lines[3].cents > 1", "index out of bounds"),
        ("state.owner.name == 'ada'", "state.owner is null; ask for `state.owner != null && ...` first"),
        ("state.stock.b > 1", "state.stock has no field 'b' (it has: a-1)"),
        ("state.stock['b'] > 1", "there is no 'b'; ask for `'b' in state.stock && ...` first"),
        ("state.total == '7'", "state.total is a number, and '7' is text: they are never equal"),
        ("'7' != state.total", "state.total is a number, and '7' is text"),
        ("state.price == 9.99 || true", "state.price is text, and 9.99 is a number"),
        ("state.at == '2024-05-01T12:00:00Z'", "state.at is an instant, as in timestamp(...), and"),
        ("state.tags == true", "state.tags is a list, and true is true or false"),
        ("state.total > 'a'", "No such overload"),
        ("state.total / 0 > 1", "division by zero"),
        ("state.total", "expected true or false, got 7"),
        ("open('/etc/passwd') == ''", "'open'"),
        ("state.evolve(1)", "'evolve'"),
        ("__import__('os').system('true') == 0", "'__import__'"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(text: str, message: str) -> None:
    holds = compile_condition(text)

    with pytest.raises(InvalidInput) as raised:
        holds(Order())

    assert message in str(raised.value)
    assert text in str(raised.value)


@pytest.mark.parametrize("text", ["(" * 499 + "1" + ")" * 499, "[" * 500 + "]" * 500, "-" * 999 + "1"])
def test_nesting_as_deep_as_the_longest_expression_is_refused_and_does_no_harm(text: str) -> None:
    with pytest.raises(InvalidInput):
        compile_condition(text)(Order())


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)

    with pytest.raises(Unsupported, match=r"extra `bisect`, as in pip install 'path/to/eventfold"):
        compile_condition("state.total < 0")


def test_what_json_cannot_hold_is_seen_as_its_repr() -> None:
    assert compile_condition("state.z == '1j' && state.n == 1")({"z": 1j, "n": 1})
