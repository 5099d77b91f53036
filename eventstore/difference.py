"""What differs between two states, field by field, nested values included."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import compress, repeat
from operator import is_not
from typing import Any, Literal, TypeAlias

import msgspec

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a state: names of fields, keys, elements of sets, and places in lists."""


class Difference(msgspec.Struct, frozen=True):
    """One field that differs.

    Attributes:
        path: where it stands.
        change: "added", "changed" or "removed".
        before: the value in the first state, as JSON has it; None where it was added.
        after: the value in the second state, as JSON has it; None where it was removed.
    """

    path: Path
    change: Literal["added", "changed", "removed"]
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The path as text: `address.city`, `lines[2].amount`, `stock["a-1"]`."""
        return field_of(self.path)


def difference(before: Any, after: Any) -> list[Difference]:
    """What differs between two states: Structs, or anything that msgspec turns into JSON.

    Values that are equal do not differ. A list is compared place by place; a set has its elements as keys, so that one
    more element is one more key.
    """
    found: list[Difference] = []
    _compare((), before, after, found)
    return found


def leaves(state: Any) -> Iterator[tuple[Path, Any]]:
    """Every value of a state that holds no others, with its path. What is empty counts as one."""
    pending: list[tuple[Path, Any]] = [((), state)]
    while pending:
        path, value = pending.pop()
        opened = _opened(value)
        inner = opened.items() if isinstance(opened, Mapping) else enumerate(opened or ())
        below = [((*path, key), each) for key, each in inner]
        if below:
            pending.extend(reversed(below))
        elif path:
            yield path, plain(value)


def field_of(path: Path) -> str:
    """A path as text."""
    text = ""
    for part in path:
        if isinstance(part, str) and part.isidentifier():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def plain(value: Any) -> Any:
    """A value as JSON has it, and by its `repr` what JSON cannot hold; a set in order, so that it always looks the same."""
    try:
        return msgspec.to_builtins(value, str_keys=True, order="deterministic", enc_hook=repr)
    except TypeError:  # only keys of one kind can be put in order
        return msgspec.to_builtins(value, str_keys=True, enc_hook=repr)


def _compare(path: Path, before: Any, after: Any, found: list[Difference]) -> None:
    """Looks into both values as far as they are of one kind. Whatever the fold has passed on as it was is left alone."""
    if before is after:
        return
    if before is msgspec.UNSET:
        found.append(Difference(path, "added", None, plain(after)))
    elif after is msgspec.UNSET:
        found.append(Difference(path, "removed", plain(before), None))
    elif type(before) is type(after) and isinstance(before, msgspec.Struct):
        for name, label in _fields(type(before)):
            _compare((*path, label), getattr(before, name), getattr(after, name), found)
    elif isinstance(before, AbstractSet) and isinstance(after, AbstractSet):
        came = after - before
        gone = before - after if len(before) + len(came) != len(after) else frozenset()
        found.extend(Difference((*path, _key(each)), "removed", each, None) for each in plain(gone))
        found.extend(Difference((*path, _key(each)), "added", None, each) for each in plain(came))
    elif isinstance(before, dict) and isinstance(after, dict):
        _compare_keys(path, before, after, found)
    else:
        _compare_opened(path, before, after, found)


def _compare_opened(path: Path, before: Any, after: Any, found: list[Difference]) -> None:
    old, new = _opened(before), _opened(after)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        _compare_keys(path, old, new, found)
    elif isinstance(old, Sequence) and isinstance(new, Sequence):
        _compare_places(path, old, new, found)
    elif before != after:
        found.append(Difference(path, "changed", plain(before), plain(after)))


def _compare_keys(path: Path, old: Mapping[Any, Any], new: Mapping[Any, Any], found: list[Difference]) -> None:
    """Of a large map an event changes a key or two: the others, whose values are the same objects, are sifted out in C."""
    values = map(old.get, new, repeat(msgspec.UNSET))
    came_or_changed = list(compress(new, map(is_not, values, new.values())))
    came = sum(key not in old for key in came_or_changed)
    gone = [key for key in old if key not in new] if len(old) + came != len(new) else []
    for key in (*gone, *came_or_changed):
        _compare((*path, _label(key)), old.get(key, msgspec.UNSET), new.get(key, msgspec.UNSET), found)


def _compare_places(path: Path, old: Sequence[Any], new: Sequence[Any], found: list[Difference]) -> None:
    common = min(len(old), len(new))
    same = common if old[:common] == new[:common] else 0  # most lists only grow
    for i in range(same, max(len(old), len(new))):
        was, now = (each[i] if i < len(each) else msgspec.UNSET for each in (old, new))
        _compare((*path, i), was, now, found)


def _opened(value: Any) -> Mapping[str | int, Any] | Sequence[Any] | None:
    """What a value holds: by key, or by place; None where it holds nothing that could be looked at by itself."""
    match value:
        case msgspec.Struct():
            config = value.__struct_config__
            opened: dict[str | int, Any] = {} if config.tag is None else {str(config.tag_field): config.tag}
            opened |= {label: getattr(value, name) for name, label in _fields(type(value))}
            return {label: each for label, each in opened.items() if each is not msgspec.UNSET}
        case Mapping():
            return {_label(key): each for key, each in value.items()}
        case list() | tuple():
            return value
        case AbstractSet():
            return {_key(each): each for each in plain(value)}
        case str() | int() | float() | None:
            return None
        case _:
            made = plain(value)  # a dataclass is an object, a UUID is a text
            return made if isinstance(made, dict) else None


def _label(key: Any) -> str:
    """A map's key as JSON has it."""
    return key if type(key) is str else str(plain(key))


def _key(element: Any) -> str | int:
    return element if isinstance(element, str | int) else json.dumps(element)


@cache
def _fields(cls: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """Each field's name in Python and in JSON."""
    return tuple(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
