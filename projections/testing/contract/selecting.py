"""Selections: conditions, order, limit and pages give what plain Python would."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from projections.selection import Condition, Operator, Order, Selection
from projections.target import BoundTarget, Reader
from projections.testing.contract.base import FINGERPRINT, TargetCases, reading, write
from projections.testing.contract.vocabulary import Colour, Thing

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
TEXTS = ["", "a", "ab", "B", "é", "a%"]
PRICES = [Decimal(text) for text in ("9", "10", "-1.5", "0.30")]
ROWS = [
    Thing(
        f"k{i:02}",
        number=None if i % 7 == 0 else i % 5 - 2,
        text=TEXTS[i % 6],
        price=PRICES[i % 4],
        at=None if i % 3 == 0 else NOON + timedelta(hours=i % 4, microseconds=i % 2),
        colour=list(Colour)[i % 2],
    )
    for i in range(40)
]
VALUES: dict[str, Any] = {"number": 1, "text": "ab", "price": Decimal(9), "at": NOON + timedelta(hours=2)}
COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: a is not None and a != b,
    "lt": lambda a, b: a is not None and a < b,
    "lte": lambda a, b: a is not None and a <= b,
    "gt": lambda a, b: a is not None and a > b,
    "gte": lambda a, b: a is not None and a >= b,
}
ORDERS = [
    (Order("key"),),
    (Order("key", descending=True),),
    *[
        (Order(name, descending=first), Order("key", descending=second))
        for name, first, second in product((*VALUES, "colour"), (False, True), (False, True))
    ],
    (Order("colour"), Order("number", descending=True), Order("at"), Order("key")),
]


def names_of(order: tuple[Order, ...]) -> str:
    """An order for a test's name."""
    return "_".join(f"{'-' if each.descending else ''}{each.field}" for each in order)


class Selecting(TargetCases):
    """The questions that a query may ask of the live rows."""

    @pytest.fixture
    def reader(self, bound: BoundTarget) -> Iterator[Reader]:
        """A reader over forty rows."""
        write(bound.create(FINGERPRINT, live=True), *ROWS)
        with reading(bound) as reader:
            yield reader

    @pytest.mark.parametrize("name", VALUES)
    @pytest.mark.parametrize("operator", COMPARE)
    def test_a_comparison_is_that_of_plain_python(self, reader: Reader, name: str, operator: Operator) -> None:
        value = VALUES[name]

        expected = [row for row in ROWS if COMPARE[operator](getattr(row, name), value)]
        assert expected
        _assert_found(reader, [Condition(name, operator, value)], expected)

    @pytest.mark.parametrize("values", [(), (1,), (1, -2, 99)], ids=len)
    def test_one_of_several_values(self, reader: Reader, values: tuple[int, ...]) -> None:
        expected = [row for row in ROWS if row.number in values]

        _assert_found(reader, [Condition("number", "in", values)], expected)

    @pytest.mark.parametrize("prefix", ["", "a", "a%", "b", "A", "é", "nothing"])
    def test_a_prefix_is_taken_to_the_letter(self, reader: Reader, prefix: str) -> None:
        expected = [row for row in ROWS if row.text.startswith(prefix)]

        _assert_found(reader, [Condition("text", "prefix", prefix)], expected)

    @pytest.mark.parametrize("wanted", [True, False])
    def test_nothing_is_asked_for_by_null(self, reader: Reader, *, wanted: bool) -> None:
        expected = [row for row in ROWS if (row.at is None) is wanted]

        _assert_found(reader, [Condition("at", "null", wanted)], expected)

    def test_all_conditions_hold(self, reader: Reader) -> None:
        expected = [row for row in ROWS if row.colour == Colour.RED and row.number is not None and row.number > 0]

        found = [Condition("colour", "eq", Colour.RED), Condition("number", "gt", 0)]
        assert expected
        _assert_found(reader, found, expected)

    @pytest.mark.parametrize("order", ORDERS, ids=names_of)
    def test_rows_come_in_order_nothing_first_and_page_by_page(self, reader: Reader, order: tuple[Order, ...]) -> None:
        expected = _in_order(order)

        whole = reader.select(Selection(order=order))
        paged = list(_pages(reader, order, size=7))

        assert whole == expected
        assert paged == expected

    @pytest.mark.parametrize("limit", [0, 1, 39, 40, 41])
    def test_no_more_rows_than_the_limit(self, reader: Reader, limit: int) -> None:
        assert reader.select(Selection(order=(Order("key"),), limit=limit)) == ROWS[:limit]


def _assert_found(reader: Reader, conditions: list[Condition], expected: list[Thing]) -> None:
    selection = Selection(conditions=tuple(conditions), order=(Order("key"),))
    assert reader.select(selection) == expected
    assert reader.count(selection) == len(expected)


def _in_order(order: tuple[Order, ...]) -> list[Thing]:
    rows = list(ROWS)
    for each in reversed(order):
        values = {row.key: getattr(row, each.field) for row in rows}
        rows.sort(key=lambda row, of=values: (of[row.key] is not None, of[row.key]), reverse=each.descending)  # type: ignore[misc]
    return rows


def _pages(reader: Reader, order: tuple[Order, ...], *, size: int) -> Iterator[Thing]:
    after = None
    while page := reader.select(Selection(order=order, limit=size, after=after)):
        yield from page
        after = tuple(getattr(page[-1], each.field) for each in order)
