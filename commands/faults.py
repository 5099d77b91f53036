"""What is wrong with the fields of a Struct, in a sentence each: of a command that somebody sends, or a message that arrives."""

import enum
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from eventstore.errors import shown


def faults_in(cls: type[msgspec.Struct], data: bytes) -> list[str]:
    """What is wrong with JSON that cannot be read as a class; nothing where that is not one of its fields.

    Args:
        cls: what was expected; unknown fields are no fault.
        data: what came.
    """
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    return [*missing_in(cls, fields), *faulty_in(cls, fields)] if isinstance(fields, dict) else []


def missing_in(cls: type[msgspec.Struct], fields: Mapping[str, Any]) -> Iterator[str]:
    """The fields that are not there and must be."""
    for field in msgspec.structs.fields(cls):
        if field.required and field.encode_name not in fields:
            yield f"{field.encode_name}: missing; expected {name_of_type(field_types(cls)[field.name])}"


def faulty_in(cls: type[msgspec.Struct], fields: Mapping[str, Any]) -> Iterator[str]:
    """The fields that are not of their declared type, or not within its bounds."""
    for field in msgspec.structs.fields(cls):
        name, declared = field.encode_name, field_types(cls)[field.name]
        if name in fields:
            try:
                msgspec.convert(fields[name], declared, str_keys=True)
            except msgspec.ValidationError as error:
                yield f"{name}: {sentence(error, declared)}, got {shown(fields[name])}"


@cache
def field_types(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The declared type of each field, with its bounds."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in msgspec.structs.fields(cls)}


def sentence(error: msgspec.ValidationError, declared: Any) -> str:
    """What msgspec expected, and where; the caller says what it got."""
    text, _, place = str(error).partition(" - at `$")
    where = f" at `{place.removeprefix('.')}" if place else ""
    if text.startswith("Invalid enum value") and not place:
        return f"expected {name_of_type(declared)}"
    return text[:1].lower() + re.sub(", got `[^`]*`", "", text[1:]) + where


def name_of_type(declared: Any) -> str:
    """A declared type as people call it; of an enumeration, its values."""
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    if choices := _choices(declared):
        return f"one of {', '.join(map(repr, choices))}"
    return str(declared) if get_args(declared) else getattr(declared, "__name__", str(declared))


def _choices(declared: Any) -> list[Any]:
    """The values that a `Literal`, an enumeration or a union of them can have."""
    if get_origin(declared) is Literal:
        return list(get_args(declared))
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return [each.value for each in declared]
    return [choice for each in get_args(declared) for choice in _choices(each)]
