"""The fingerprint of a fold: a snapshot is used only by the code that would fold the same state."""

import hashlib
from enum import Enum
from functools import cache
from typing import Any

import msgspec

from eventstore.aggregate import Aggregate, events_of, evolve_version, initial, retired_of
from eventstore.errors import DefinitionError
from eventstore.event import event_type, schema_version, upcasters_of


@cache
def fingerprint(aggregate: type[Aggregate[Any]]) -> str:
    """What a stored state depends on, as a short text.

    That is the state's schema with nested types, the order of its fields and their defaults; the aggregate's declared
    `version`; the schema versions of its events above 1 and the upcasters, by which older shapes are changed before they are
    folded; and the types that it passes over.

    Raises:
        DefinitionError: the state before the first event cannot be kept as JSON.
    """
    upcast = sorted(
        (event_type(each), schema_version(each), *(step.step for step in upcasters_of(each)))
        for each in events_of(aggregate)
        if schema_version(each) > 1 or upcasters_of(each)
    )
    schema = _describe(msgspec.inspect.type_info(aggregate), set())
    parts = [
        aggregate.__name__,
        evolve_version(aggregate),
        schema,
        initial(aggregate),
        upcast,
        sorted(retired_of(aggregate)),
    ]
    try:
        text = _json(parts)
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"{aggregate.__qualname__}: the initial state cannot be kept as JSON, so it can have no snapshots: {error}"
        ) from error
    return hashlib.sha256(text).hexdigest()[:32]


def _describe(part: Any, seen: set[type]) -> Any:
    """A type as plain values, the same in every process. The JSON Schema would not do: it has one word for list and set."""
    if isinstance(part, msgspec.Struct):
        cls = getattr(part, "cls", None)
        if cls in seen:
            return cls.__qualname__
        inner = seen | {cls} if cls is not None else seen
        return [type(part).__name__, *(_describe(getattr(part, name), inner) for name in part.__struct_fields__)]
    if isinstance(part, type):
        members = [[each.name, each.value] for each in part] if issubclass(part, Enum) else []
        return [part.__qualname__, *members]
    if isinstance(part, tuple | list):
        return [_describe(each, seen) for each in part]
    if part is None or isinstance(part, str | int | float | bool):
        return part
    return _opaque(part)


def _opaque(value: Any) -> Any:
    """A default value or a function that makes one: what it stores as, else its name."""
    try:
        return _json(value).decode()
    except (TypeError, ValueError):
        made = _made_by(value)
        return getattr(value, "__qualname__", type(value).__qualname__) if made is None else made


def _made_by(factory: Any) -> str | None:
    """What a function makes, if it always makes the same."""
    try:
        one, other = _json(factory()), _json(factory())
    except Exception:  # noqa: BLE001 - whatever it is, it is no factory of a value that could be told apart
        return None
    return one.decode() if one == other else None


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="deterministic")
    except TypeError:  # only dicts with text keys can be sorted
        return msgspec.json.encode(value)
