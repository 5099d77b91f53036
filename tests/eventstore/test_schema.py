"""Locking the shapes of events, and finding what newer code could not read."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct

from eventstore import DefinitionError, Event, InvalidInput, JsonObject, UnreadableEvent, upcasts
from eventstore.codec import Codec
from eventstore.frozen import FrozenMeta
from eventstore.schema.check import check, example_row, unlocked
from eventstore.schema.compare import changes
from eventstore.schema.lock import SchemaLock, locked, read_lock, write_lock
from eventstore.schema.shape import shape_of
from eventstore.testing import assert_locked_shapes_read, stored
from eventstore.testing.contract.vocabulary import EVENTS


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class More(Enum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Street(msgspec.Struct):
    name: str


class Place(msgspec.Struct):
    name: str
    number: int


class Lenient(msgspec.Struct):
    name: str
    number: int = 0


def event(version: int = 1, upcasters: Any = (), **fields: Any) -> type[Event]:
    """An event `Noted` with these fields; a pair is a type and a default."""
    given = {name: each if isinstance(each, tuple) else (each,) for name, each in fields.items()}
    body: dict[str, Any] = {name: default for name, (_, *defaults) in given.items() for default in defaults}
    body |= {"__annotations__": {name: declared for name, (declared, *_) in given.items()}, "__module__": __name__}
    options = {"version": version, "upcasters": upcasters, "kw_only": True}
    made: Any = FrozenMeta("Noted", (Event,), body, **options)
    return made  # type: ignore[no-any-return]  # made by a function


ADDITIONS = [
    ({"a": int}, {"a": int, "b": (int, 0)}),
    ({"a": int}, {"a": float}),
    ({"a": int}, {"a": int | None}),
    ({"a": int}, {"a": (int, 7)}),
    ({"a": int}, {"a": int | str}),
    ({"a": int}, {"a": Any}),
    ({"a": (int, 0)}, {"a": (int, 1)}),
    ({"a": int, "b": (int, 0)}, {"a": int}),
    ({"a": Colour}, {"a": More}),
    ({"a": Literal["x"]}, {"a": Literal["x", "y"]}),
    ({"a": Street}, {"a": Lenient}),
    ({"a": list[Street]}, {"a": list[Lenient]}),
    ({"a": Annotated[int, Meta(gt=5)]}, {"a": Annotated[int, Meta(gt=4)]}),
    ({"a": Annotated[str, Meta(max_length=5)]}, {"a": str}),
]

BREAKS = [
    ({"a": int}, {"a": int, "b": int}, "b", "is new and has no default"),
    ({"a": (int, 0)}, {"a": int}, "a", "has lost its default, and stored events may lack it"),
    ({"a": int, "b": int}, {"a": int}, "b", "is gone, and the code before this needs it"),
    ({"a": int}, {"a": str}, "a", "was integer, and is string"),
    ({"a": float}, {"a": int}, "a", "was number, and is integer"),
    ({"a": int | None}, {"a": int}, "a", "was null, and is integer"),
    ({"a": str}, {"a": datetime}, "a", "has another format: none became 'date-time'"),
    ({"a": More}, {"a": Colour}, "a", "no longer takes 'green'"),
    ({"a": str}, {"a": Literal["x"]}, "a", "no longer takes every value"),
    ({"a": Street}, {"a": Place}, "a.number", "is new and has no default"),
    ({"a": list[Street]}, {"a": list[Place]}, "a[].number", "is new and has no default"),
    ({"a": dict[str, Street]}, {"a": dict[str, Place]}, "a{}.number", "is new and has no default"),
    ({"a": tuple[int, str]}, {"a": tuple[int, int]}, "a[1]", "was string, and is integer"),
    ({"a": list[int]}, {"a": list[str]}, "a[]", "was integer, and is string"),
    (
        {"a": Annotated[int, Meta(gt=4)]},
        {"a": Annotated[int, Meta(gt=5)]},
        "a",
        "has another exclusiveMinimum: 4 became 5",
    ),
    ({"a": str}, {"a": Annotated[str, Meta(max_length=5)]}, "a", "has another maxLength: none became 5"),
]


@pytest.mark.parametrize(("old", "new"), ADDITIONS)
def test_an_addition_needs_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    lock, codec = locked(SchemaLock(), [event(**old)]), Codec(event(**new))

    assert check(lock, codec) == []


@pytest.mark.parametrize(("old", "new", "field", "problem"), BREAKS)
def test_a_change_that_one_side_could_not_read_is_named_with_field_and_remedy(
    old: dict[str, Any], new: dict[str, Any], field: str, problem: str
) -> None:
    lock, codec = locked(SchemaLock(), [event(**old)]), Codec(event(**new))

    [found] = check(lock, codec)

    assert (found.type, found.version, found.field) == ("Noted", 1, field)
    assert found.problem.startswith(f"Noted 1: field `{field}` {problem}: ")
    assert found.problem.endswith("or raise the version to 2 and write an upcaster")
    assert '@upcasts("Noted", 1)' in str(found.draft)


@pytest.mark.parametrize(
    "cls", [*EVENTS, event(m=Decimal, u=UUID, c=Colour, p=Place, many=list[Place], t=tuple[int, str])]
)
def test_the_example_of_a_shape_reads_as_an_event(cls: type[Event]) -> None:
    lock = locked(SchemaLock(), [cls])
    [held] = lock.events

    [found] = Codec(cls).decode([example_row(held, held.shapes[0].example or {})])

    assert type(found.event) is cls
    assert shape_of(cls) == held.shapes[0]
    assert changes(held.shapes[0].schema, held.shapes[0].schema) == []


@pytest.mark.parametrize(
    ("old", "new", "known", "beyond"),
    [(int, float, 1, 1.5), (int, int | None, 1, None), (Colour, More, More.RED, More.GREEN)],
    ids=["float", "None", "choice"],
)
def test_the_code_before_a_wider_type_reads_the_values_that_it_knows_and_refuses_the_others(
    old: Any, new: Any, known: Any, beyond: Any
) -> None:
    older, newer = Codec(event(a=old)), event(a=new)
    payloads = [msgspec.json.encode(newer(a=value)).decode() for value in (known, beyond)]  # type: ignore[call-arg]  # made by a function
    rows = [(1, "note-1", 1, 0, "Noted", 1, "", None, None, None, None, None, payload) for payload in payloads]

    assert [each.event.a for each in Codec(newer).decode(rows)] == [known, beyond]
    assert len(older.decode(rows[:1])) == 1
    with pytest.raises(UnreadableEvent):
        older.decode(rows)


@pytest.mark.parametrize(
    ("bounds", "example"),
    [
        (Meta(gt=0, lt=1), 0.5),
        (Meta(gt=0, le=0.5), 0.25),
        (Meta(ge=0, lt=1), 0),
        (Meta(gt=2, lt=9), 3),
        (Meta(lt=0), -1),
        (Meta(le=-3), -3),
    ],
    ids=str,
)
def test_the_example_of_a_number_lies_between_its_bounds(bounds: Meta, example: float) -> None:
    made = shape_of(event(a=Annotated[float, bounds])).example

    assert made == {"a": example}


def test_a_field_named_title_counts_in_a_default_value() -> None:
    class Headed(Struct, frozen=True):
        title: str

    one, other = event(a=(Headed, Headed("x"))), event(a=(Headed, Headed("y")))

    assert shape_of(one).example == {"a": {"title": "x"}}
    assert shape_of(one).fingerprint != shape_of(other).fingerprint


def test_where_no_example_can_be_made_up_the_shape_is_locked_without_one(tmp_path: Path) -> None:
    coded = event(code=Annotated[str, Meta(pattern="^[A-Z]{3}$")])
    path = tmp_path / "schema.lock.json"
    write_lock(path, locked(SchemaLock(), [coded]))

    assert shape_of(coded).example is None
    assert check(read_lock(path), Codec(coded)) == []
    path.write_text(path.read_text(encoding="utf-8").replace("null", '{"code": "ABC"}'), encoding="utf-8")
    assert assert_locked_shapes_read(path, coded) == 1
    assert locked(read_lock(path), [coded]) == read_lock(path)


def test_a_docstring_changes_no_shape() -> None:
    one, other = event(a=int), event(a=int)
    other.__doc__ = "Said in other words."

    assert shape_of(one) == shape_of(other)


def test_the_lock_is_written_and_read_and_keeps_every_shape_it_ever_held(tmp_path: Path) -> None:
    path = tmp_path / "schema.lock.json"
    first = locked(read_lock(path), [event(a=int)])
    write_lock(path, first)
    second = locked(read_lock(path), [event(a=int, b=(int, 0))])
    write_lock(path, second)

    [held] = read_lock(path).events
    assert [shape.example for shape in held.shapes] == [{"a": 1}, {"a": 1, "b": 0}]
    assert locked(second, [event(a=int, b=(int, 0))]) == second
    assert unlocked(second, Codec(event(a=int, c=(int, 0)))) == ["Noted 1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "expected a lock"),
        ("[]", "expected a lock"),
        ("{}", "expected a lock .*`format`"),
        ('{"format": 1}', "expected a lock .*`events`"),
        ('{"format": 9}', "format 9"),
        ('{"format": 1,\n<<<<<<< HEAD\n', "marks of a merge conflict"),
    ],
)
def test_a_file_that_is_no_lock_of_this_release_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "schema.lock.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInput, match=problem):
        read_lock(path)


@upcasts("Noted", 1)
def doubled(data: JsonObject) -> JsonObject:
    return {"b": str(data["a"] * 2)}


@upcasts("Noted", 1)
def faulty(_data: JsonObject) -> JsonObject:
    return {}


LOCKED = locked(SchemaLock(), [event(a=int)])


def test_an_upcaster_makes_an_older_shape_readable() -> None:
    assert check(LOCKED, Codec(event(2, [doubled], b=str))) == []


@pytest.mark.parametrize(
    ("classes", "retired", "problems"),
    [
        ([event(2, b=str)], (), ["nothing leads from it to version 2: write the upcaster"]),
        ([event(2, [faulty], b=str)], (), ["the example of Noted 1 does not read: .*missing required field `b`"]),
        ([], (), ["no event class reads it: declare the class"]),
        ([], ("Noted",), []),
    ],
)
def test_what_no_longer_reads_is_named(classes: list[type[Event]], retired: Sequence[str], problems: list[str]) -> None:
    found = check(LOCKED, Codec(classes), retired)

    assert len(found) == len(problems)
    for each, problem in zip(found, problems, strict=True):
        with pytest.raises(AssertionError, match=problem):
            raise AssertionError(each.problem)


def test_versions_never_go_back() -> None:
    lock = locked(SchemaLock(), [event(2, b=str)])

    [found] = check(lock, Codec(event(a=int)))

    assert "the class is at version 1: raise it, versions never go back" in found.problem


def test_a_draft_is_python_that_needs_only_its_gaps_filled() -> None:
    [first, *_] = check(LOCKED, Codec(event(b=int)))
    namespace: dict[str, Any] = {"upcasts": upcasts, "JsonObject": JsonObject, "Event": Event}

    exec(str(first.draft), namespace)  # noqa: S102 - the draft is ours

    assert namespace["noted_1_to_2"]({"a": 5}) == {"b": 5}


def test_the_kit_says_what_a_stored_event_reads_as() -> None:
    noted = event(2, [doubled], b=str)

    stored("Noted", 1, {"a": 4}).reads_as(noted(b="8"))  # type: ignore[call-arg]  # made by a function
    with pytest.raises(AssertionError, match=r"expected \[Noted\(b='9'\)\], got \[Noted\(b='8'\)\]"):
        stored("Noted", 1, {"a": 4}).reads_as(noted(b="9"))  # type: ignore[call-arg]  # made by a function


def test_the_kit_asks_for_the_classes_of_the_reader_where_those_expected_do_not_tell() -> None:
    @upcasts("Split", 1, into={"Noted": 1})
    def only_large_ones(data: JsonObject) -> list[tuple[str, JsonObject]]:
        return [("Noted", data)] if data["a"] > 1 else []

    noted = event(1, [only_large_ones], a=int)

    stored("Split", 1, {"a": 1}).reads_as(declared=noted)
    with pytest.raises(
        AssertionError, match=r"no class reads Split: name all .*`reads_as\(..., declared=app.parts.events"
    ):
        stored("Split", 1, {"a": 1}).reads_as()


def test_a_failure_of_the_kit_shows_none_of_its_own_frames() -> None:
    with pytest.raises(UnreadableEvent) as caught:
        stored("Noted", 1, {"a": "x"}).reads_as(declared=event(a=int))

    assert [each.path.name for each in caught.traceback.filter(caught)] == [Path(__file__).name]  # type: ignore[union-attr]


def test_the_kit_takes_the_types_that_are_retired(tmp_path: Path) -> None:
    path = tmp_path / "schema.lock.json"
    write_lock(path, LOCKED)

    assert assert_locked_shapes_read(path, [], retired=["Noted"]) == 1
    with pytest.raises(AssertionError, match=r"no event class reads it(.|\n)*`retired=app.parts.retired`"):
        assert_locked_shapes_read(path, [])


def test_the_kit_reads_every_shape_that_was_ever_locked(tmp_path: Path) -> None:
    path = tmp_path / "schema.lock.json"
    with pytest.raises(AssertionError, match="nothing is locked"):
        assert_locked_shapes_read(path, event(a=int))
    write_lock(path, locked(LOCKED, [event(2, b=str)]))

    assert assert_locked_shapes_read(path, event(2, [doubled], b=str)) == 2
    with pytest.raises(AssertionError, match="nothing leads from it to version 2"):
        assert_locked_shapes_read(path, event(2, b=str))
    with pytest.raises(DefinitionError):
        event(3, [doubled], b=str)
