"""Upcasters that cannot work are found where they are declared, and those that fail are named with what they met."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventstore import (
    Aggregate,
    DefinitionError,
    Event,
    UnknownEvent,
    UnknownEventType,
    UnreadableEvent,
    UpcastFailed,
    open_store,
    upcasts,
)
from eventstore.backend import StreamRange
from eventstore.codec import Codec
from eventstore.event import upcasters_of
from eventstore.loading import load
from eventstore.upcaster import JsonObject, Upcaster


class OldName(Event, event_type="Named"):
    name: str


@upcasts("Named", 1)
def in_parts(data: JsonObject) -> JsonObject:
    first, _, last = data["name"].partition(" ")
    return {"first": first, "last": last}


@upcasts("Named", 2)
def onwards(data: JsonObject) -> JsonObject:
    return data


def define(version: int = 2, upcasters: Any = (), aliases: Any = (), name: str = "Named") -> type[Event]:
    class Named(Event, event_type=name, version=version, upcasters=upcasters, aliases=aliases):
        first: str
        last: str

    return Named


def test_an_upcaster_is_a_function_and_can_be_called_as_one() -> None:
    assert in_parts({"name": "Ada Lovelace"}) == {"first": "Ada", "last": "Lovelace"}
    assert repr(in_parts).endswith(".in_parts: Named 1 -> Named 2>")


@pytest.mark.parametrize(
    ("arguments", "options", "problem"),
    [
        (("", 1), {}, "type: expected the stable name"),
        ((Event, 1), {}, "type: expected the stable name"),
        (("Named", 0), {}, "version of Named: expected a positive integer, got 0"),
        (("Named", True), {}, "version of Named: expected a positive integer, got True"),
        (("Named", 1), {"into": ["Other"]}, "into: expected a dict of types to versions"),
        (("Named", 1), {"into": {}}, "into: expected a type at least.*`retired=` of the aggregates"),
        (("Named", 1), {"into": {"Other": 0}}, "into: version of Other: expected a positive integer"),
        (("Named", 1), {"into": {"Named": 1}}, "leads to itself"),
        (("Named", 1), {"aliases": "OldNamed"}, "aliases: expected a list"),
        (("Named", 1), {"aliases": ["Named"]}, "aliases: expected a list of other names"),
    ],
)
def test_what_an_upcaster_cannot_read_or_lead_to_is_refused(
    arguments: tuple[Any, Any], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        upcasts(*arguments, **options)


async def awaited(_data: JsonObject) -> JsonObject:
    return {}


@pytest.mark.parametrize("function", [7, lambda: None, lambda _a, _b: {}, awaited])
def test_something_else_than_a_plain_function_of_one_argument_is_refused(function: Any) -> None:
    with pytest.raises(DefinitionError, match="expected a plain function of one argument"):
        upcasts("Named", 1)(function)


@upcasts("Other", 1)
def of_another(data: JsonObject) -> JsonObject:
    return data


@upcasts("Named", 1, into={"Other": 1})
def away(data: JsonObject) -> list[tuple[str, JsonObject]]:
    return [("Other", data)]


@upcasts("Other", 1, into={"Named": 1})
def back(data: JsonObject) -> list[tuple[str, JsonObject]]:
    return [("Named", data)]


@pytest.mark.parametrize(
    ("version", "upcasters", "problem"),
    [
        (
            3,
            [in_parts],
            r'ends at Named 2, and the class is at version 3; add the step from there, `@upcasts\("Named", 2\)`',
        ),
        (4, [in_parts, onwards], "ends at Named 3, and the class is at version 4"),
        (
            2,
            [in_parts, onwards],
            "onwards reads Named 2, which is the class's present version; raise it, as in `version=3`",
        ),
        (1, [onwards], "ends at Named 3, and the class is at version 1; raise the version of the class"),
        (2, [in_parts, in_parts], "Named 1 is read by .*in_parts and .*in_parts; keep one"),
        (2, [of_another], "does not lead to Named 2; name it in the event that it leads to"),
        (2, [away, back], "lead round in a circle: Named 1 -> Other 1 -> Named 1"),
        (2, [in_parts.function], "expected functions under @upcasts"),
        (2, in_parts, "upcasters: expected a list"),
    ],
)
def test_a_chain_with_a_fault_is_refused_where_the_class_is_defined(version: int, upcasters: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        define(version, upcasters)


@pytest.mark.parametrize(("aliases", "problem"), [("Old", "expected a list"), (["Named"], "expected other names")])
def test_aliases_that_make_no_sense_are_refused(aliases: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        define(aliases=aliases)


def test_upcasters_are_not_inherited() -> None:
    class More(define(2, [in_parts])):  # type: ignore[misc]  # a base made by a function
        pass

    assert upcasters_of(More) == ()


@upcasts("Both", 1, into={"Named": 2, "Other": 2})
def apart(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield "Named", {"first": data["name"], "last": ""}
    yield "Other", {}


def other(upcasters: Any = (), version: int = 2, aliases: Any = ()) -> type[Event]:
    class Other(Event, version=version, upcasters=upcasters, aliases=aliases):
        pass

    return Other


@upcasts("Other", 2, into={"Final": 1})
def finally_(data: JsonObject) -> list[tuple[str, JsonObject]]:
    return [("Final", data)]


class Final(Event, upcasters=[finally_]):
    pass


@upcasts("Both", 1)
def also(data: JsonObject) -> JsonObject:
    return data


def both(version: int = 2, upcasters: Any = (), aliases: Any = ()) -> type[Event]:
    class Both(Event, version=version, upcasters=upcasters, aliases=aliases):
        pass

    return Both


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (
            lambda: [define(2, [apart]), other()],
            r"Other: upcaster .*apart .* leads to it; name it in its `upcasters=` too",
        ),
        (
            lambda: [define(2, [apart]), Final],
            r"Final: upcaster .*apart .* leads to it; name it in its `upcasters=` too",
        ),
        (lambda: [define(2, [apart]), both(2, [also])], "Both 1 is read by two upcasters"),
        (lambda: [define(2, [apart]), both(1)], "reads Both 1, which is the present version of .*Both"),
        (lambda: [define(), define()], "event type 'Named' is declared by"),
        (lambda: [define(), other(aliases=["Named"])], "alias 'Named' stands for Other, and elsewhere for Named"),
        (lambda: [define(aliases=["Old"]), other(aliases=["Old"])], "alias 'Old' stands for Other, and elsewhere for"),
        (
            lambda: [define(2, [apart]), other([apart]), both(2, aliases=["Pair"])],
            "reads Both, which is stored as Pair, too; name that in its `aliases=`",
        ),
    ],
)
def test_classes_that_contradict_each_other_are_refused(classes: Callable[[], list[type[Event]]], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Codec(classes())


def test_a_type_that_is_reached_by_way_of_another_is_found_under_the_first_name() -> None:
    class Both(Event):
        name: str

    class Reached(Event, event_type="Final", upcasters=[apart, finally_]):
        pass

    with open_store("memory://", events=[Reached, define(2, [apart])]) as store:
        store.append("person-ada", [Both("Ada")])

        assert [each.event for each in store.read_log(types=["Final"])] == [Reached()]


def returning(value: Any) -> Upcaster[Any]:
    @upcasts("Named", 1)
    def faulty(_data: JsonObject) -> JsonObject:
        return value() if callable(value) else value  # type: ignore[no-any-return]  # whatever the case gives

    return faulty


def yielding(value: Any) -> Upcaster[Any]:
    @upcasts("Named", 1, into={"Named": 2})
    def faulty(_data: JsonObject) -> Any:
        return value() if callable(value) else value

    return faulty


def boom() -> Any:
    return {}["name"]


@pytest.mark.parametrize(
    ("upcaster", "problem"),
    [
        (returning(boom), "raised KeyError: 'name'"),
        (returning(lambda: 1 / 0), "raised ZeroDivisionError"),
        (returning(None), "expected a dict, got None"),
        (returning([]), r"expected a dict, got \[\]"),
        (returning({"first": "Ada"}), "does not fit the class: Object missing required field `last`"),
        (returning({"first": 1, "last": "L"}), r"does not fit the class: Expected `str`, got `int` - at `\$\.first`"),
        (returning({"first": object(), "last": "L"}), "does not fit the class: Encoding objects of type object"),
        (yielding(boom), "raised KeyError: 'name'"),
        (yielding(None), "raised TypeError"),
        (yielding({}), r"expected \(type, dict\) pairs, got \{\}"),
        (yielding([{}]), r"expected pairs of Named and a dict, got \{\}"),
        (yielding([("Named", 1)]), r"expected pairs of Named and a dict, got \('Named', 1\)"),
        (yielding([("Strange", {})]), r"expected pairs of Named and a dict, got \('Strange', \{\}\)"),
        (yielding([("Named", {})]), "does not fit the class: Object missing required field `first`"),
    ],
)
def test_an_upcaster_that_fails_is_named_with_the_event_it_met_and_the_log_is_untouched(
    upcaster: Upcaster[Any], problem: str
) -> None:
    named = define(2, [upcaster])

    class Person(Aggregate[named]):  # type: ignore[valid-type]  # made by a function
        pass

    with open_store("memory://", events=named) as store:
        store.append("person-ada", [OldName("Ada")])
        before = store.backend.stream_page("person-ada", StreamRange(), 9)
        where = (
            r"event 'Named' schema 1 at position 1 \(stream 'person-ada' version 1\): .*faulty \(Named 1 -> Named 2\)"
        )

        for read in (lambda: list(store.read_log()), lambda: load(store.backend, Person, "ada")):
            with pytest.raises(UpcastFailed, match=where) as caught:
                read()
            assert caught.match(problem)
        assert store.backend.stream_page("person-ada", StreamRange(), 9) == before


def test_an_older_version_without_an_upcaster_is_an_error_that_says_how_to_write_one() -> None:
    with open_store("memory://", events=define(2)) as store:
        store.append("person-ada", [OldName("Ada")])

        with pytest.raises(
            UnreadableEvent, match=r'has schema 1, .* schema 2; write an upcaster, `@upcasts\("Named", 1\)`'
        ):
            list(store.read_log())


def test_an_event_in_its_present_shape_is_decoded_without_looking_at_upcasters() -> None:
    def never(_data: JsonObject) -> JsonObject:
        raise AssertionError

    named = define(2, [upcasts("Named", 1)(never)])
    with open_store("memory://", events=named) as store:
        store.append("person-ada", [named("Ada", "Lovelace")])  # type: ignore[call-arg]  # made by a function

        assert [each.event for each in store.read_log()] == [named("Ada", "Lovelace")]  # type: ignore[call-arg]  # made by a function


def test_a_reader_may_declare_how_to_read_what_newer_code_writes() -> None:
    @upcasts("Named", 2, into={"Named": 1})
    def joined(data: JsonObject) -> list[tuple[str, JsonObject]]:
        return [("Named", {"name": f"{data['first']} {data['last']}"})]

    class Named(Event, upcasters=[joined]):
        name: str

    with open_store("memory://", events=Named) as store:
        store.append("person-ada", [define(2)("Ada", "Lovelace"), Named("Bob")])  # type: ignore[call-arg]  # made by a function

        assert [each.event for each in store.read_log()] == [Named("Ada Lovelace"), Named("Bob")]


@upcasts("Moved", 1, into={"Left": 1, "Came": 1})
def in_two(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield "Left", data
    data["place"] = data.pop("to")
    yield "Came", data


@upcasts("Left", 1)
def from_place(data: JsonObject) -> JsonObject:
    data["place"] = data.pop("from")
    return data


class Left(Event, version=2, upcasters=[in_two, from_place]):
    place: str
    to: str


class Came(Event, upcasters=[in_two]):
    place: str


def test_when_a_split_yields_one_dict_twice_then_each_event_has_it_as_it_was_when_it_was_yielded() -> None:
    moved = (1, "person-1", 1, 0, "Moved", 1, "id", None, None, None, None, None, '{"from":"Bath","to":"York"}')

    assert [each.event for each in Codec([Left, Came]).decode([moved])] == [Left("Bath", "York"), Came("York")]


@upcasts("Retold", 1, into={"Told": 1}, aliases=["Rumoured"])
def told(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield "Told", data


class Told(Event, upcasters=[told]):
    what: str


@pytest.mark.parametrize("name", ["Retold", "Rumoured"])
def test_given_a_type_that_only_an_upcaster_knows_then_its_other_versions_are_unknown_under_each_name(
    name: str,
) -> None:
    stored = (1, "tale-1", 1, 0, name, 2, "id", None, None, None, None, None, '{"what":"it"}')

    assert Codec(Told).decode([stored])[0].event == UnknownEvent(name, 2, {"what": "it"})
    with pytest.raises(UnknownEventType, match=f"holds event type '{name}', which this reader does not declare"):
        Codec(Told, strict=True).decode([stored])
