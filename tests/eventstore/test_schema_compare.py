"""Changes in which an older shape and a newer one differ only in what is deep inside, or in what JSON Schema leaves out."""

from datetime import date, datetime, time
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from eventstore import Event, JsonObject, upcasts
from eventstore.codec import Codec
from eventstore.schema.check import check
from eventstore.schema.lock import SchemaLock, locked
from tests.eventstore.test_schema import Colour, More, event

T = TypeVar("T")
AWARE: TypeAlias = Annotated[datetime, Meta(tz=True)]
NAIVE: TypeAlias = Annotated[datetime, Meta(tz=False)]


class Digit(IntEnum):
    ONE = 1


class Letter(Enum):
    A = "a"


class Paid(msgspec.Struct, tag=True):
    cents: int


class Named(msgspec.Struct, tag=True):
    name: str


class Numbered(msgspec.Struct, tag="Named"):
    name: int


class Note(msgspec.Struct):
    text: str
    extra: str = ""


class Title(msgspec.Struct):
    text: str = ""


class ShortNote(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Branch(msgspec.Struct):
    twigs: list["Branch"] = []
    size: int = 0


class BranchOfText(msgspec.Struct):
    twigs: list["BranchOfText"] = []
    size: str = ""


class LeftOut(msgspec.Struct, omit_defaults=True):
    name: str = ""


class Always(msgspec.Struct):
    name: str


class Row(msgspec.Struct, array_like=True):
    a: int
    b: str


class LongerRow(msgspec.Struct, array_like=True):
    a: int
    b: str
    c: int = 0


class Pair(NamedTuple):
    a: int
    b: int


class Triple(NamedTuple):
    a: int
    b: int
    c: int = 0


class Box(msgspec.Struct, Generic[T]):
    inside: T


def optional(kind: Any) -> tuple[Any, Any]:
    """With a default, from which an example would be made that any other type takes, too."""
    return kind | None, None


BREAKS: list[tuple[Any, Any, str, str]] = [
    (dict[str, int], dict[int, int], "a{keys}", "has another format: none became 'integer'"),
    (dict[str, int], dict[UUID, int], "a{keys}", "has another format: none became 'uuid'"),
    (dict[date, int], dict[datetime, int], "a{keys}", "has another format: 'date' became 'date-time'"),
    (dict[More, int], dict[Colour, int], "a{keys}", "no longer takes 'green'"),
    (dict[str, int], dict[Literal["x"], int], "a{keys}", "no longer takes every value"),
    (dict[str, int], dict[Annotated[str, Meta(max_length=2)], int], "a{keys}", "has another maxLength"),
    (dict[str, int], Annotated[dict[str, int], Meta(max_length=2)], "a", "has another maxProperties"),
    (dict, dict[str, int], "a{}", "was anything, and is integer"),
    ((list, []), (list[int], []), "a[]", "was anything, and is integer"),
    (dict[str, str], Branch, "a.twigs", "was string, and is array of Branch"),
    (optional(Note), optional(dict[str, int]), "a", "was Note or null, and is object or null"),
    (optional(Literal["x"]), optional(int), "a", "was one of 'x' or null, and is integer or null"),
    (optional(Letter), optional(UUID), "a", "was Letter or null, and is uuid or null"),
    (Digit, str, "a", "was one of 1, and is string"),
    (optional(Paid | Named), optional(Paid | Numbered), "a", "was Paid or Named or null, and is Paid or Numbered or null"),
    ((list[Note], []), (list[ShortNote], []), "a[].extra", "is gone, and the class forbids unknown fields"),
    (ShortNote, Note, "a.extra", "is new, and the code before this forbids unknown fields"),
    (Always, LeftOut, "a.name", "is left out where it has its default, and the code before this needs it"),
    (datetime, AWARE, "a", "has another x-timezone: none became True"),
    (optional(AWARE), optional(NAIVE), "a", "was date-time or null, and is date-time or null"),
    (list[datetime], list[AWARE], "a[]", "has another x-timezone: none became True"),
    (time, Annotated[time, Meta(tz=False)], "a", "has another x-timezone: none became False"),
    (Box[str], Box[datetime], "a.inside", "has another format: none became 'date-time'"),
    (Branch, BranchOfText, "a.size", "was integer, and is string"),
    (LongerRow, Pair, "a", "has another maxItems: none became 2"),
    (Pair, Triple, "a", "was array, and is array"),
    (tuple[int, ...], tuple[int, str], "a", "has another maxItems: none became 2"),
]  # fmt: skip

ADDITIONS: list[tuple[Any, Any]] = [
    (dict[int, int], dict[str, int]),
    (dict[int, int], dict[int | UUID, int]),
    (dict[Colour, int], dict[More, int]),
    (dict[str, int], dict),
    (dict[str, str], Title),
    (Branch, Branch),
    (Row, LongerRow),
    (tuple[int, int], list[int]),
    (NAIVE, datetime),
    (Paid, Paid | Named),
    (Literal["x", 1], str | int),
    (Literal["x", 1], Literal[1, "x", "y"]),
    (Annotated[int, Meta(ge=5)], Annotated[int, Meta(gt=4)]),
    (Annotated[int, Meta(lt=5)], Annotated[int, Meta(le=4)]),
    (Annotated[int, Meta(multiple_of=6)], Annotated[int, Meta(multiple_of=3)]),
]


@pytest.mark.parametrize(("old", "new", "field", "problem"), BREAKS)
def test_what_stored_events_could_not_be_read_by_is_found(old: Any, new: Any, field: str, problem: str) -> None:
    lock, codec = locked(SchemaLock(), [event(a=old)]), Codec(event(a=new))

    found = next(each for each in check(lock, codec) if each.field is not None)

    assert found.field == field
    assert found.problem.startswith(f"Noted 1: field `{field}` {problem}")


@pytest.mark.parametrize(("old", "new"), ADDITIONS)
def test_what_they_can_be_read_by_is_not(old: Any, new: Any) -> None:
    lock, codec = locked(SchemaLock(), [event(a=old)]), Codec(event(a=new))

    assert check(lock, codec) == []


class Measured(Event, omit_defaults=True):
    value: int
    unit: str = "m"


@upcasts("Measured", 1)
def with_unit(data: JsonObject) -> JsonObject:
    return {"text": f"{data['value']} {data['unit']}"}


class MeasuredInText(Event, event_type="Measured", version=2, upcasters=[with_unit]):
    text: str


def test_an_upcaster_that_needs_what_is_left_out_of_what_is_stored_is_found() -> None:
    [found] = check(locked(SchemaLock(), [Measured]), Codec(MeasuredInText))

    assert "the example of Measured 1 does not read: " in found.problem
    assert found.problem.endswith("raised KeyError: 'unit'; mend the upcaster, the log is as it was")
