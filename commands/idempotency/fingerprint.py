"""What tells two commands apart: their class, and the values of their fields.

A field that has its default counts for nothing, so that a command which is sent again after it was given another optional field is
still the same one.
"""

import hashlib
from functools import cache
from typing import Any

import msgspec

from commands.command import Command


def fingerprint(command: Command) -> str:
    """Equal for equal commands of one class."""
    return _hashed(command, _told(command))


def former_fingerprint(command: Command) -> str:
    """The same as earlier releases have kept it: with the fields that have their defaults."""
    return _hashed(command, command)


def _hashed(command: Command, told: Any) -> str:
    text = msgspec.json.encode(told, order="sorted")
    return hashlib.sha256(type(command).__name__.encode() + b"\0" + text).hexdigest()


def _told(value: Any) -> Any:
    """A value without the fields of Structs that have their defaults."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        given = [(each, getattr(value, each.name)) for each in _fields(type(value))]
        told = {each.encode_name: _told(found) for each, found in given if not _has_default(each, found)}
        return told if config.tag is None else {**told, str(config.tag_field): config.tag}
    if isinstance(value, dict):
        return {key: _told(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_told(each) for each in value]
    return value


@cache
def _fields(cls: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(cls)


def _has_default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    made = field.default_factory
    default = field.default if made is msgspec.NODEFAULT else made()
    return type(value) is type(default) and bool(value == default)
