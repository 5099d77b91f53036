"""The model of a read model: a frozen Struct whose first field is the row's key."""

import enum
import types
import uuid
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from eventstore import DefinitionError

_KEYS = {str, int, bool, date, datetime, uuid.UUID}


class Field(msgspec.Struct, frozen=True):
    """One field of a model.

    Attributes:
        name: as in the Struct.
        type: without `| None` and annotations.
        nullable: whether None is a value.
    """

    name: str
    type: Any
    nullable: bool


def shown(declared: Any) -> str:
    """A type, or a field's, for people."""
    if isinstance(declared, Field):
        return f"{shown(declared.type)} or None" if declared.nullable else shown(declared.type)
    return declared.__qualname__ if isinstance(declared, type) and not get_args(declared) else str(declared)


class Model(msgspec.Struct, frozen=True):
    """A Struct class and its fields; the first one is the key.

    Attributes:
        cls: the Struct class.
        fields: in their order.
        shape: text that changes when a field's name, type, order or nullability does.
    """

    cls: type[msgspec.Struct]
    fields: tuple[Field, ...]
    shape: str

    @property
    def key(self) -> Field:
        """The field that identifies a row."""
        return self.fields[0]

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((each for each in self.fields if each.name == name), None)

    @property
    def make(self) -> Callable[..., Any]:
        """Makes an instance from the fields' values in their order."""
        return self.cls


@cache
def model_of(cls: type[msgspec.Struct]) -> Model:
    """The model of a Struct class.

    Raises:
        DefinitionError: it is not frozen, has no fields, has keyword-only fields, or its first field cannot be a key.
    """
    where = f"model {cls.__qualname__}"
    if not cls.__struct_config__.frozen:
        raise DefinitionError(
            f"{where}: expected a frozen Struct; declare it as `class {cls.__name__}(Struct, frozen=True)`"
        )
    names = cls.__struct_fields__
    if not names:
        raise DefinitionError(f"{where}: expected at least one field, the first of which is the key")
    if len(cls.__match_args__) != len(names):
        raise DefinitionError(f"{where}: keyword-only fields cannot be filled from a row; leave out kw_only")
    hints = get_type_hints(cls, include_extras=True)
    fields = tuple(_field(name, hints[name]) for name in names)
    if fields[0].nullable:
        raise DefinitionError(f"{where}: the first field, {fields[0].name}, is the key and cannot be None")
    if not _is_key(fields[0].type):
        raise DefinitionError(
            f"{where}: the first field, {fields[0].name}, is the key: expected str, int, bool, date, datetime, UUID or an enum "
            f"of texts, got {fields[0].type}"
        )
    shape = ";".join(f"{each.name}:{_type_name(each.type)}{'?' if each.nullable else ''}" for each in fields)
    return Model(cls, fields, shape)


def _is_key(declared: Any) -> bool:
    """Whether equal values of this type are stored as equal values in every database: 1.0 and 1.00 would not be."""
    if not isinstance(declared, type):
        return False
    return declared in _KEYS or (issubclass(declared, enum.Enum) and issubclass(declared, str))


def _field(name: str, declared: Any) -> Field:
    declared = bare(declared)
    members = get_args(declared) if get_origin(declared) in {Union, types.UnionType} else (declared,)
    plain = [bare(each) for each in members if each is not type(None)]
    return Field(name, plain[0] if len(plain) == 1 else Union[tuple(plain)], len(plain) < len(members))  # noqa: UP007 - made at run time


def bare(declared: Any) -> Any:
    """A type without its `Annotated` and `NewType`, which say nothing about how it is stored."""
    while get_origin(declared) is Annotated or hasattr(declared, "__supertype__"):
        declared = get_args(declared)[0] if get_origin(declared) is Annotated else declared.__supertype__
    return declared


def _type_name(declared: Any) -> str:
    if isinstance(declared, type) and not get_args(declared):
        if issubclass(declared, msgspec.Struct):
            return f"{declared.__qualname__}({model_shape(declared)})"
        return declared.__qualname__
    return str(declared)


def model_shape(cls: type[msgspec.Struct]) -> str:
    """The names and types of a nested Struct's fields."""
    hints = get_type_hints(cls)
    return ",".join(f"{name}:{hints[name]}" for name in cls.__struct_fields__)
