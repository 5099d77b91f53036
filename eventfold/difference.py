"""What differs between two states, field by field, nested values included."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

ABSENT = object()


class Difference(msgspec.Struct, frozen=True):
    """One field that differs.

    Attributes:
        field: its path, as in `address.city` or `lines[2].amount`.
        change: "added", "changed" or "removed".
        before: the value in the first state; None where it was added.
        after: the value in the second state; None where it was removed.
    """

    field: str
    change: Literal["added", "changed", "removed"]
    before: Any
    after: Any


def difference(before: Any, after: Any) -> list[Difference]:
    """What differs between two states: Structs, or anything that msgspec turns into JSON."""
    return list(_compare("", msgspec.to_builtins(before), msgspec.to_builtins(after)))


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before is ABSENT:
        yield Difference(path, "added", None, after)
    elif after is ABSENT:
        yield Difference(path, "removed", before, None)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else str(key)
            yield from _compare(inner, before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for i in range(max(len(before), len(after))):
            old = before[i] if i < len(before) else ABSENT
            yield from _compare(f"{path}[{i}]", old, after[i] if i < len(after) else ABSENT)
    elif before != after or type(before) is not type(after):
        yield Difference(path, "changed", before, after)
