"""Opaque cursors for keyset pages: the values of the order's fields in the last row."""

import base64
import binascii
from typing import Any

import msgspec

from projections.errors import InvalidQuery
from projections.model import Model
from projections.selection import Order


def cursor_of(row: Any, order: tuple[Order, ...]) -> str:
    """The cursor after a row."""
    signature = [f"{'-' if each.descending else ''}{each.field}" for each in order]
    values = [getattr(row, each.field) for each in order]
    return base64.urlsafe_b64encode(msgspec.json.encode([signature, values])).decode().rstrip("=")


def read_cursor(text: str, model: Model, order: tuple[Order, ...]) -> tuple[Any, ...]:
    """The values to go on after.

    Raises:
        InvalidQuery: it is not a cursor, or one of a query with another order.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        signature, values = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[list[str], list[Any]])
        expected = [f"{'-' if each.descending else ''}{each.field}" for each in order]
        if signature != expected or len(values) != len(order):
            raise InvalidQuery(f"cursor: it belongs to the order {signature}, and this query has {expected}")
        types = [model.field(each.field) for each in order]
        return tuple(
            None if value is None or field is None else msgspec.convert(value, field.type)
            for value, field in zip(values, types, strict=True)
        )
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidQuery):
            raise
        raise InvalidQuery(f"cursor: expected the `next` of a page, got {text!r}") from error
