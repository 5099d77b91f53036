"""The lock file: every shape that an event type ever had, to be committed with the code."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from eventstore.errors import InvalidInput
from eventstore.event import Event, event_type, schema_version
from eventstore.schema.shape import Shape, shape_of

FORMAT = 1


class LockedVersion(msgspec.Struct, frozen=True):
    """What is locked of one type at one schema version.

    Attributes:
        type: the stable name.
        version: the schema version.
        shapes: those that it had, the newest last.
    """

    type: str
    version: int
    shapes: tuple[Shape, ...]


class SchemaLock(msgspec.Struct, frozen=True):
    """The lock.

    Attributes:
        format: of the file.
        events: in the order of their types and versions.
    """

    format: int = FORMAT
    events: tuple[LockedVersion, ...] = ()

    def find(self, name: str, version: int) -> LockedVersion | None:
        """What is locked of a type at a version."""
        return next((each for each in self.events if (each.type, each.version) == (name, version)), None)


class _File(msgspec.Struct, frozen=True):
    """A `SchemaLock` as it stands in a file, where a part that is missing was lost."""

    format: int
    events: tuple[LockedVersion, ...] | None = None


def read_lock(path: Path) -> SchemaLock:
    """The lock in a file; an empty one where there is no file.

    Raises:
        InvalidInput: the file is no lock, or one of a newer release.
    """
    if not path.exists():
        return SchemaLock()
    text = path.read_bytes()
    try:
        found = msgspec.json.decode(text, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if b"<<<<<<<" in text:
            raise InvalidInput(
                f"{path.name}: it has the marks of a merge conflict: keep the shapes of both sides, or take the file of one "
                "side and run `eventfold schema lock`"
            ) from error
        raise InvalidInput(f"{path.name}: expected a lock that `eventfold schema lock` wrote: {error}") from error
    if found.format > FORMAT:
        raise InvalidInput(
            f"{path.name}: it has format {found.format}, and this release reads {FORMAT}; update eventfold"
        )
    if found.events is None:
        raise InvalidInput(f"{path.name}: expected a lock that `eventfold schema lock` wrote: it has no `events`")
    return SchemaLock(found.format, found.events)


def write_lock(path: Path, lock: SchemaLock) -> None:
    """Writes the lock so that a change of one event is a change of few lines."""
    text = msgspec.json.format(msgspec.json.encode(lock, order="deterministic"), indent=2)
    path.write_bytes(text + b"\n")


def locked(lock: SchemaLock, classes: Iterable[type[Event]]) -> SchemaLock:
    """The lock with the present shapes of these classes; what it held stays, as history."""
    found: dict[tuple[str, int], tuple[Shape, ...]] = {(each.type, each.version): each.shapes for each in lock.events}
    for cls in classes:
        node, shape = (event_type(cls), schema_version(cls)), shape_of(cls)
        shapes = found.get(node, ())
        if shape.fingerprint not in {each.fingerprint for each in shapes}:
            found[node] = (*shapes, shape)
    return SchemaLock(FORMAT, tuple(LockedVersion(*node, shapes) for node, shapes in sorted(found.items())))


def is_current(lock: SchemaLock, cls: type[Event]) -> bool:
    """Whether the present shape of a class is locked."""
    held: Any = lock.find(event_type(cls), schema_version(cls))
    return held is not None and shape_of(cls).fingerprint in {each.fingerprint for each in held.shapes}
