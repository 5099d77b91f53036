"""Values of a state that read back from JSON as equal ones, with which the fold would go on otherwise."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec

_PLAIN = frozenset({int, str, float, bool, bytes, NoneType, Decimal, UUID, date, timedelta})


def half_kept(state: msgspec.Struct) -> str | None:
    """The first value of which JSON keeps less than there is; None where there is none.

    That is a `Counter` or another kind of dict, which reads back as a plain one, and an instant in a zone with a summer time,
    which reads back with the offset that it happens to have.

    Returns:
        The field, and what it holds.
    """
    pending: list[tuple[str, Any]] = [("", state)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, msgspec.Struct):
            fields = [(name, getattr(value, name)) for name in value.__struct_fields__]
            pending.extend((f"{path}.{name}", each) for name, each in fields if type(each) not in _PLAIN)
        elif isinstance(value, dict):
            if type(value) is not dict:
                return f"{path[1:]}: a {type(value).__qualname__}, which reads back as a plain dict"
            pending += _inside(path, value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            pending += _inside(path, value)
        elif isinstance(value, (datetime, time)) and not _is_fixed(value):
            return f"{path[1:]}: a time in the zone {value.tzinfo}, which reads back with its offset only"
    return None


def _inside(path: str, values: Iterable[Any]) -> list[tuple[str, Any]]:
    if _PLAIN.issuperset(map(type, values)):
        return []
    return [(f"{path}[]", each) for each in values if type(each) not in _PLAIN]


def _is_fixed(instant: datetime | time) -> bool:
    zone = instant.tzinfo
    return zone is None or isinstance(zone, timezone) or str(zone) == "UTC"
