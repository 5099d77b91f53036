"""Upcasters may change the dict that they are given, whatever else refers to it."""

from collections.abc import Iterator
from typing import Any

from eventstore import Event, JsonObject, upcasts
from eventstore.testing import stored


@upcasts("OrderClosed", 1, into={"Shipped": 1, "Paid": 1})
def apart(data: JsonObject) -> list[tuple[str, JsonObject]]:
    return [("Shipped", data), ("Paid", {"order": data["order"]})]


@upcasts("Shipped", 1)
def with_place(data: JsonObject) -> JsonObject:
    data["order"]["id"] = data["order"].pop("number")
    return data


class Shipped(Event, version=2, upcasters=[apart, with_place]):
    order: dict[str, int]


class Paid(Event, upcasters=[apart]):
    order: dict[str, int]


@upcasts("Measured", 1, into={"Measured": 2})
def each_value(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for value in data.pop("values"):
        data["value"] = value
        yield "Measured", data


class Measured(Event, version=2, upcasters=[each_value]):
    value: int


NOWHERE: dict[str, Any] = {"city": "nowhere"}


@upcasts("Moved", 1)
def somewhere(data: JsonObject) -> JsonObject:
    return data | {"address": NOWHERE}


@upcasts("Moved", 2)
def with_street(data: JsonObject) -> JsonObject:
    data["address"].setdefault("street", data["street"])
    return data


class Moved(Event, version=3, upcasters=[somewhere, with_street]):
    address: dict[str, str]


def test_a_step_that_changes_one_part_of_a_split_event_leaves_the_others_as_they_were() -> None:
    stored("OrderClosed", 1, {"order": {"number": 7}}).reads_as(Shipped({"id": 7}), Paid({"number": 7}))


def test_a_generator_may_change_and_yield_the_same_dict_again() -> None:
    stored("Measured", 1, {"values": [1, 2, 3]}).reads_as(Measured(1), Measured(2), Measured(3))


def test_a_step_that_changes_what_the_one_before_keeps_changes_no_other_event() -> None:
    for street in ("North", "South"):
        stored("Moved", 1, {"street": street}).reads_as(Moved({"city": "nowhere", "street": street}))

    assert NOWHERE == {"city": "nowhere"}
