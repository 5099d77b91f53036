"""How what is appended travels to a statement: every list as one text, with a separator between the values.

Measured with psycopg 3.3 for 100 events in one append: joined texts 105,000 events/s, lists adapted by the driver 53,000/s. No
value can hold the separators: names are printable, and JSON has control characters only escaped.
"""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from eventstore.backends.postgresql.guard import Name, locks
from eventstore.errors import InvalidInput
from eventstore.expected import ANY, NO_STREAM, STREAM_EXISTS, Expectation, ExpectedVersion
from eventstore.query import QueryItem

SEPARATOR = "\x1e"
NULL = "\x1f"

_CODES = {ANY: -1, STREAM_EXISTS: -2, NO_STREAM: 0}


def expected_code(expected: ExpectedVersion) -> int:
    """An expected version as a number."""
    return _CODES[expected] if isinstance(expected, Expectation) else expected


def lock_arguments(written: Iterable[int], guarded: Iterable[Name]) -> list[str | None]:
    """The locks to take: their numbers, and whether each is exclusive."""
    keys, modes = zip(*locks(written, guarded), strict=True)
    return [numbers(keys), f"{{{','.join(['t' if exclusive else 'f' for exclusive in modes])}}}"]


def item_arguments(items: Sequence[tuple[int, QueryItem]]) -> list[str | None]:
    """The items of conditions, each with the position after which it may not match: positions, types and tags."""
    if not items:
        return [None, None, None]
    return [
        numbers([after for after, _ in items]),
        SEPARATOR.join([_names(item.types) for _, item in items]),
        SEPARATOR.join([_names(tuple(dict.fromkeys(item.tags))) for _, item in items]),
    ]


def instant(value: int | None) -> str | None:
    """An instant, or none."""
    return None if value is None else str(value)


def instants(values: Sequence[int | None]) -> str | None:
    """Instants of which each may be missing; nothing where all are."""
    return nullable([instant(each) for each in values]) if any(values) else None


def joined(values: Sequence[str]) -> str:
    """Texts as one text.

    Raises:
        InvalidInput: one of them holds a separator.
    """
    text = SEPARATOR.join(values)
    if text.count(SEPARATOR) != len(values) - 1 or NULL in text:
        _refuse(values)
    return text


def nullable(values: Sequence[str | None]) -> str | None:
    """Texts of which each may be missing as one text; nothing where all are."""
    if not any(values):
        return None
    given = [each for each in values if each is not None]
    joined(given)
    return SEPARATOR.join([NULL if each is None else each for each in values])


def numbers(values: Sequence[int]) -> str:
    """Numbers as an array."""
    return f"{{{str(list(values))[1:-1]}}}"


def _names(names: Sequence[str]) -> str:
    if any(SEPARATOR in name or NULL in name for name in names):
        _refuse(names)
    return NULL.join(names)


def _refuse(values: Sequence[str]) -> NoReturn:
    at_fault = next(each for each in values if SEPARATOR in each or NULL in each)
    raise InvalidInput(f"expected text without the control characters U+001E and U+001F, got {at_fault[:80]!r}")
