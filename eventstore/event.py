"""Events: what happened, as frozen Structs with a stable type name and an integer schema version."""

import types
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

import msgspec

from eventstore.errors import DefinitionError
from eventstore.frozen import FrozenMeta, options_of
from eventstore.upcaster import Node, Upcaster, check_steps

MAX_TYPE_LENGTH = 120


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))  # see FrozenMeta
class Event(msgspec.Struct, metaclass=FrozenMeta):
    """Something that happened, named in the past tense.

    A subclass lists its fields; it is frozen already. Its name in the log is the class's own name and its schema
    version is 1, unless the class says otherwise:

        class Deposited(Event, event_type="account-deposited", version=2):
            amount: int

    What was stored under another name, or in another shape, is read through `aliases` and `upcasters`:

        class AmountDeposited(Event, version=3, aliases=["Deposited"], upcasters=[in_cents, with_currency]):
            amount: int
            currency: str

    Raises:
        DefinitionError: the name is empty, too long or starts with `$`, the version is not a positive integer, or an
            upcaster does not lead to this version.
    """

    __allowed_options__: ClassVar[frozenset[str]] = frozenset({"event_type", "version", "aliases", "upcasters"})

    @classmethod
    def __check_options__(cls) -> None:
        upcasters_of(cls)  # which looks at the others, too


class Tag:
    """Marks a field whose value tags the event, for queries and append conditions over tags.

        class Subscribed(Event):
            student_id: Annotated[str, Tag("student")]      # tag "student:s-1"

    Args:
        prefix: what stands before the colon; by default the field's name without `_id`.
    """

    __slots__ = ("prefix",)

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = prefix


@cache
def event_type(cls: type[Event]) -> str:
    """The stable name under which events of this class are stored."""
    name = options_of(cls).get("event_type", cls.__name__)
    if not isinstance(name, str) or not name or len(name) > MAX_TYPE_LENGTH or not name.isprintable():
        raise DefinitionError(
            f"{cls.__qualname__}: event_type must be 1 to {MAX_TYPE_LENGTH} printable characters, got {name!r}"
        )
    if name.startswith("$"):
        raise DefinitionError(f"{cls.__qualname__}: event types that begin with $ are reserved, got {name!r}")
    return name


@cache
def schema_version(cls: type[Event]) -> int:
    """The schema version under which events of this class are stored; 1 unless declared."""
    version = options_of(cls).get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DefinitionError(f"{cls.__qualname__}: version must be a positive integer, got {version!r}")
    return version


@cache
def aliases_of(cls: type[Event]) -> tuple[str, ...]:
    """The other names under which events of this class may be stored."""
    aliases = options_of(cls).get("aliases", ())
    if isinstance(aliases, str) or not isinstance(aliases, Sequence):
        raise DefinitionError(f"{cls.__qualname__}: aliases: expected a list of names, got {aliases!r}")
    for alias in aliases:
        if not isinstance(alias, str) or not 0 < len(alias) <= MAX_TYPE_LENGTH or alias == event_type(cls):
            raise DefinitionError(
                f"{cls.__qualname__}: aliases: expected other names than {event_type(cls)!r}, of 1 to {MAX_TYPE_LENGTH} "
                f"characters, got {alias!r}"
            )
    return tuple(aliases)


@cache
def upcasters_of(cls: type[Event]) -> tuple[Upcaster[Any], ...]:
    """The upcasters that lead to this class."""
    upcasters = options_of(cls).get("upcasters", ())
    if isinstance(upcasters, Upcaster) or not isinstance(upcasters, Sequence):
        raise DefinitionError(f"{cls.__qualname__}: upcasters: expected a list, got {upcasters!r}")
    name, names = event_type(cls), dict.fromkeys(aliases_of(cls), event_type(cls))
    names |= {alias: step.type for step in upcasters if isinstance(step, Upcaster) for alias in step.aliases}
    steps: dict[Node, Upcaster[Any]] = {}
    for step in upcasters:
        if not isinstance(step, Upcaster):
            raise DefinitionError(f"{cls.__qualname__}: upcasters: expected functions under @upcasts, got {step!r}")
        node = (names.get(step.type, step.type), step.version)
        if node == (name, schema_version(cls)):
            raise DefinitionError(
                f"{cls.__qualname__}: upcaster {step.name} reads {step.type} {step.version}, which is the class's present "
                f"version; raise it, as in `version={step.version + 1}`"
            )
        if node in steps:
            raise DefinitionError(
                f"{cls.__qualname__}: {step.type} {step.version} is read by {steps[node].name} and {step.name}; keep one"
            )
        steps[node] = step
    check_steps(cls.__qualname__, (name, schema_version(cls)), steps, names)
    return tuple(upcasters)


@cache
def _tag_fields(cls: type[Event]) -> tuple[tuple[str, str], ...]:
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for field in msgspec.structs.fields(cls):
        for mark in getattr(hints[field.name], "__metadata__", ()):
            if mark is Tag:
                found.append((field.name, field.name.removesuffix("_id")))
            elif isinstance(mark, Tag):
                found.append((field.name, mark.prefix or field.name.removesuffix("_id")))
    return tuple(found)


def has_tags(cls: type[Event]) -> bool:
    """Whether fields of the class are tags."""
    return bool(_tag_fields(cls))


def tags_of(event: Event) -> list[str]:
    """The tags that an event carries by its `Tag` fields; a list gives one tag for each of its items, None gives none."""
    tags: list[str] = []
    for name, prefix in _tag_fields(type(event)):
        value = getattr(event, name)
        if type(value) is str:
            tags.append(f"{prefix}:{value}")
        elif isinstance(value, (set, frozenset)):  # in no order of its own: the same event must give the same tags
            tags.extend(sorted(f"{prefix}:{_text(item)}" for item in value if item is not None))
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            tags.extend(f"{prefix}:{_text(item)}" for item in values if item is not None)
    return tags


def _text(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def event_classes(declared: Any) -> tuple[type[Event], ...]:
    """The event classes that a class, a union or a sequence of them names.

    Raises:
        DefinitionError: something in it is not an Event class.
    """
    return tuple(dict.fromkeys(_flatten(declared)))


def _flatten(declared: Any) -> Iterable[type[Event]]:
    if isinstance(declared, type) and issubclass(declared, Event):
        yield declared
    elif get_origin(declared) in {Union, types.UnionType}:
        for member in get_args(declared):
            yield from _flatten(member)
    elif hasattr(declared, "__value__"):  # `type X = A | B`, Python 3.12
        yield from _flatten(declared.__value__)
    elif isinstance(declared, (list, tuple, set, frozenset)):
        for member in declared:
            yield from _flatten(member)
    else:
        raise DefinitionError(
            f"expected an Event class or a union of Event classes, got {declared!r}; declare it as "
            "`class Name(Event)`, and unions as `Name | OtherName`"
        )
