"""Events: what they are called, which schema they have and which tags they carry."""

from enum import Enum
from typing import Annotated, Any

import pytest

from eventstore import DefinitionError, Event, Tag, open_store
from eventstore.event import event_classes, event_type, schema_version, tags_of


class Plain(Event):
    n: int = 0


class Named(Event, event_type="plain-old-name", version=3):
    n: int = 0


class Colour(Enum):
    RED = "red"


class Tagged(Event):
    order_id: Annotated[str, Tag]
    customer: Annotated[str | None, Tag("buyer")] = None
    items: Annotated[tuple[str, ...], Tag("item")] = ()
    labels: Annotated[frozenset[str], Tag("label")] = frozenset()
    colour: Annotated[Colour | None, Tag] = None


def test_a_type_is_called_as_its_class_unless_it_says_otherwise() -> None:
    assert (event_type(Plain), schema_version(Plain)) == ("Plain", 1)
    assert (event_type(Named), schema_version(Named)) == ("plain-old-name", 3)


def test_a_subclass_does_not_take_over_name_and_version() -> None:
    class Child(Named):
        pass

    assert (event_type(Child), schema_version(Child)) == ("Child", 1)


@pytest.mark.parametrize("name", ["", "x" * 121, "a\nb", "$reserved", 5])
def test_a_name_that_no_type_can_have_is_refused(name: Any) -> None:
    with pytest.raises(DefinitionError, match=r"Bad: event.type.* got "):

        class Bad(Event, event_type=name):
            pass


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.0])
def test_a_version_that_is_no_positive_integer_is_refused(version: Any) -> None:
    with pytest.raises(DefinitionError, match="Bad: version must be a positive integer, got "):

        class Bad(Event, version=version):
            pass


def test_an_event_that_would_be_stored_without_the_names_of_its_fields_is_refused() -> None:
    class Bare(Event, array_like=True):
        pass

    with pytest.raises(DefinitionError, match="Bare: array_like: events are stored with the names of their fields"):
        open_store("memory://", events=Bare)


def test_fields_that_are_marked_give_tags() -> None:
    event = Tagged("o-1", "ada", ("b", "a"), frozenset({"z", "y"}), Colour.RED)

    assert list(tags_of(event)) == [
        "order:o-1", "buyer:ada", "item:b", "item:a", "label:y", "label:z", "colour:red",
    ]  # fmt: skip
    assert list(tags_of(Tagged("o-1"))) == ["order:o-1"]


def test_classes_are_found_in_unions_lists_and_both_each_once() -> None:
    assert event_classes(Plain) == (Plain,)
    assert event_classes(Plain | Named) == (Plain, Named)
    assert event_classes([Plain | Named, Tagged, Plain]) == (Plain, Named, Tagged)


@pytest.mark.parametrize("declared", [int, Plain | int, "Plain", [None], Plain()])
def test_what_is_no_event_class_is_refused(declared: object) -> None:
    with pytest.raises(DefinitionError, match="expected an Event class or a union of Event classes, got "):
        event_classes(declared)
