"""Holds the event classes of a program against the lock: what could not be read once this code is deployed."""

from collections.abc import Collection, Iterator

import msgspec

from eventstore.backend import Row
from eventstore.codec import Codec
from eventstore.errors import EventfoldError
from eventstore.event import event_type, schema_version
from eventstore.schema.compare import FieldChange, changes
from eventstore.schema.draft import draft
from eventstore.schema.lock import LockedVersion, SchemaLock, is_current
from eventstore.schema.shape import Shape, shape_of
from eventstore.upcaster import JsonObject


class Problem(msgspec.Struct, frozen=True):
    """Why stored events of a type and version could not be read, or not by the code before this.

    Attributes:
        type: the stored name.
        version: the schema version.
        field: the field, where it is about one.
        problem: one sentence with the remedy.
        draft: an upcaster to begin with, where one would help.
    """

    type: str
    version: int
    field: str | None
    problem: str
    draft: str | None = None


def check(lock: SchemaLock, codec: Codec, retired: Collection[str] = ()) -> list[Problem]:
    """What is wrong; empty where every shape that was ever locked still reads.

    Args:
        lock: what was deployed.
        codec: of the program's events.
        retired: the types that nobody needs any more.
    """
    return [problem for each in lock.events for problem in _check_version(each, codec, retired)]


def unlocked(lock: SchemaLock, codec: Codec) -> list[str]:
    """The types and versions whose present shape is not locked yet."""
    return [f"{event_type(cls)} {schema_version(cls)}" for cls in codec.classes if not is_current(lock, cls)]


def _check_version(held: LockedVersion, codec: Codec, retired: Collection[str]) -> Iterator[Problem]:
    name, version = held.type, held.version
    present = codec.lineage.present(name)
    if codec.reads(name, version):
        shape = shape_of(codec.lineage.classes[name])
        found = {each.field: each for old in held.shapes for each in changes(old.schema, shape.schema)}
        for each in found.values():
            yield _field_problem(held, each, draft(name, version, held.shapes[-1].schema, shape.schema))
        if not found:
            yield from _unread(held, codec)
    elif codec.lineage.is_older((name, version)):
        yield from _unread(held, codec)
    elif present is None:
        if name not in retired:
            yield Problem(
                name, version, None,
                f"{name} {version} is locked, and no event class reads it: declare the class, name it in another's `aliases=` or "
                "upcasters, or in `retired=` of the aggregate that no longer needs it",
            )  # fmt: skip
    elif version > present:
        yield Problem(
            name, version, None,
            f"{name} {version} is locked, and the class is at version {present}: raise it, versions never go back",
        )  # fmt: skip
    else:
        shape = shape_of(codec.lineage.classes[codec.lineage.canonical(name)])
        yield Problem(
            name, version, None,
            f"{name} {version} is locked, and nothing leads from it to version {present}: write the upcaster",
            draft(name, version, held.shapes[-1].schema, shape.schema),
        )  # fmt: skip


def _field_problem(held: LockedVersion, change: FieldChange, upcaster: str) -> Problem:
    remedy = f"{change.remedy}, or raise the version to {held.version + 1} and write an upcaster"
    sentence = f"{held.type} {held.version}: field `{change.field}` {change.problem}: {remedy}"
    return Problem(held.type, held.version, change.field, sentence, upcaster)


def _unread(held: LockedVersion, codec: Codec) -> Iterator[Problem]:
    """Reads the examples of each shape, as if they were stored."""
    for example in (each for shape in held.shapes for each in _examples(shape)):
        try:
            codec.decode([example_row(held, example)])
        except EventfoldError as error:
            text = str(error).replace(" at position 1 (stream 'example' version 1)", "")
            yield Problem(
                held.type, held.version, None, f"the example of {held.type} {held.version} does not read: {text}"
            )
            return


def _examples(shape: Shape) -> Iterator[JsonObject]:
    """The locked one, and the same without what is left out where it has its default."""
    if shape.example is None:
        return
    yield shape.example
    if shape.schema.get("x-omit-defaults"):
        yield {name: shape.example[name] for name in shape.schema.get("required", ()) if name in shape.example}


def example_row(held: LockedVersion, example: JsonObject) -> Row:
    """The example of a shape, as the log would hold it."""
    payload = msgspec.json.encode(example).decode()
    return (1, "example", 1, 0, held.type, held.version, "", None, None, None, None, None, payload)
