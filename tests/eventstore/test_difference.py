from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest

from eventstore.difference import difference, leaves


class Line(msgspec.Struct, frozen=True):
    name: str
    cents: int = 0


class Card(msgspec.Struct, frozen=True, tag=True):
    number: str


class Cash(msgspec.Struct, frozen=True, tag=True):
    cents: int


@dataclass(frozen=True)
class Place:
    city: str


class Order(msgspec.Struct, frozen=True, rename={"total_cents": "total"}):
    lines: tuple[Line, ...] = ()
    stock: dict[Any, Any] = {}
    tags: frozenset[Any] = frozenset()
    paid: Card | Cash | None = None
    place: Place | None = None
    total_cents: int = 0
    note: str | msgspec.UnsetType = msgspec.UNSET


def changes(before: Order, after: Order) -> list[tuple[str, str, Any, Any]]:
    return [(each.field, each.change, each.before, each.after) for each in difference(before, after)]


def test_equal_states_do_not_differ() -> None:
    order = Order((Line("tea"),), {"a": [1]}, frozenset("ab"), Card("1"), Place("Bath"), 3)

    assert difference(order, order) == []
    assert difference(order, msgspec.structs.replace(order, lines=(Line("tea"),), stock={"a": [1]})) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Order(total_cents=1), Order(total_cents=2), [("total", "changed", 1, 2)]),
        (Order((Line("tea"),)), Order((Line("tea", 5),)), [("lines[0].cents", "changed", 0, 5)]),
        (Order(), Order((Line("tea"),)), [("lines[0]", "added", None, {"name": "tea", "cents": 0})]),
        (Order((Line("a"), Line("b"))), Order((Line("a"),)), [("lines[1]", "removed", {"name": "b", "cents": 0}, None)]),
        (Order(stock={"a": {"b": 1}}), Order(stock={"a": {"b": 2}}), [("stock.a.b", "changed", 1, 2)]),
        (Order(stock={"a-1": 1}), Order(stock={}), [('stock["a-1"]', "removed", 1, None)]),
        (Order(stock={7: 1}), Order(stock={7: 1, 8: 2}), [('stock["8"]', "added", None, 2)]),
        (Order(paid=Card("1")), Order(paid=Card("2")), [("paid.number", "changed", "1", "2")]),
        (Order(), Order(paid=Cash(1)), [("paid", "changed", None, {"type": "Cash", "cents": 1})]),
        (
            Order(paid=Card("1")),
            Order(paid=Cash(1)),
            [("paid.number", "removed", "1", None), ("paid.type", "changed", "Card", "Cash"), ("paid.cents", "added", None, 1)],
        ),
        (Order(place=Place("Bath")), Order(place=Place("York")), [("place.city", "changed", "Bath", "York")]),
        (Order(), Order(note="x"), [("note", "added", None, "x")]),
        (Order(note="x"), Order(), [("note", "removed", "x", None)]),
        (Order(stock={"a": [1]}), Order(stock={"a": {"b": 1}}), [("stock.a", "changed", [1], {"b": 1})]),
    ],
)  # fmt: skip
def test_a_difference_names_the_innermost_field(before: Order, after: Order, expected: list[Any]) -> None:
    assert changes(before, after) == expected


def test_a_set_shows_the_elements_that_came_and_went_in_order() -> None:
    before, after = Order(tags=frozenset({"a", "c", "b-1"})), Order(tags=frozenset({"a", "e", "d"}))

    assert changes(before, after) == [
        ('tags["b-1"]', "removed", "b-1", None),
        ("tags.c", "removed", "c", None),
        ("tags.d", "added", None, "d"),
        ("tags.e", "added", None, "e"),
    ]


def test_a_set_of_other_things_than_text_is_compared_too() -> None:
    first, second = UUID(int=1), UUID(int=2)

    assert changes(Order(tags=frozenset({first})), Order(tags=frozenset({second}))) == [
        (f'tags["{first}"]', "removed", str(first), None),
        (f'tags["{second}"]', "added", None, str(second)),
    ]
    assert changes(Order(tags=frozenset({1, 2})), Order(tags=frozenset({2}))) == [("tags[1]", "removed", 1, None)]


def test_what_json_cannot_hold_is_told_by_its_repr() -> None:
    assert [(each.field, each.before, each.after) for each in difference({"z": 1j}, {"z": 2j})] == [("z", "1j", "2j")]
    assert list(leaves({"z": 1j})) == [(("z",), "1j")]
    assert difference({"z": 1j}, {"z": 1j}) == []


def test_a_list_that_only_grows_is_not_compared_item_by_item() -> None:
    class Stubborn:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]  # so that it cannot be hashed either

    item = Stubborn()

    assert [each.field for each in difference([item] * 1000, [*[item] * 1000, 1])] == ["[1000]"]


def test_leaves_are_the_values_that_hold_no_others_in_the_order_of_the_fields() -> None:
    order = Order((Line("tea", 3),), {"a-1": [], "b": {"c": 1}}, frozenset("yx"), Cash(1), Place("Bath"), 3)

    assert [(each, value) for each, value in leaves(order) if each[0] != "note"] == [
        (("lines", 0, "name"), "tea"),
        (("lines", 0, "cents"), 3),
        (("stock", "a-1"), []),
        (("stock", "b", "c"), 1),
        (("tags", "x"), "x"),
        (("tags", "y"), "y"),
        (("paid", "type"), "Cash"),
        (("paid", "cents"), 1),
        (("place", "city"), "Bath"),
        (("total",), 3),
    ]
    assert [value for _, value in leaves(Order())] == [(), {}, [], None, None, 0]
