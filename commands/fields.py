"""The fields of a command, in words."""

from typing import Annotated, Any, get_args, get_origin

import msgspec

from commands.command import Command
from commands.faults import field_types, name_of_type

_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "a multiple of", "pattern": "like"}


class CommandField(msgspec.Struct, frozen=True):
    """One field of a command.

    Attributes:
        name: as it is written in JSON and on the command line.
        type: what it may be, with its bounds.
        required: whether it must be given.
        default: what it is where it is not given; None where it is required, or made anew for each command.
    """

    name: str
    type: str
    required: bool
    default: Any = None


def fields_of(cls: type[Command]) -> list[CommandField]:
    """The fields of a command, in their order."""
    hints = field_types(cls)
    return [
        CommandField(
            field.encode_name,
            _described(hints[field.name]),
            field.required,
            None if field.default is msgspec.NODEFAULT else field.default,
        )
        for field in msgspec.structs.fields(cls)
    ]


def _described(declared: Any) -> str:
    if get_origin(declared) is not Annotated:
        return name_of_type(declared)
    inner, *notes = get_args(declared)
    rules = [rule for note in notes if isinstance(note, msgspec.Meta) for rule in _rules(note)]
    return " ".join([name_of_type(inner), *rules])


def _rules(meta: msgspec.Meta) -> list[str]:
    if meta.ge is not None and meta.le is not None and meta.multiple_of is None:
        return [f"of {meta.ge} to {meta.le}"]
    signs = [f"{sign} {value}" for name, sign in _SIGNS.items() if (value := getattr(meta, name)) is not None]
    return signs + _lengths(meta.min_length, meta.max_length)


def _lengths(least: int | None, most: int | None) -> list[str]:
    match least, most:
        case None, None:
            return []
        case None, _:
            return [f"of length <= {most}"]
        case _, None:
            return [f"of length >= {least}"]
    return [f"of length {least} to {most}"]
