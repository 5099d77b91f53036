"""What a query wants of a read model, as data: every target carries it out in its own way."""

from typing import Any, Literal, TypeAlias

import msgspec

Operator: TypeAlias = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "prefix", "null"]
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "prefix", "null")


class Condition(msgspec.Struct, frozen=True):
    """One comparison of a field with a value."""

    field: str
    operator: Operator
    value: Any


class Order(msgspec.Struct, frozen=True):
    """One field to sort by."""

    field: str
    descending: bool = False


class Selection(msgspec.Struct, frozen=True):
    """Conditions that all must hold, the order, how many, and after which row.

    Attributes:
        conditions: on fields.
        expressions: SQLAlchemy expressions, for targets that are SQL tables.
        order: the key is always the last field of it, so that the order is total.
        limit: at most so many rows.
        after: the values of the order's fields of the last row of the page before.
    """

    conditions: tuple[Condition, ...] = ()
    expressions: tuple[Any, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    after: tuple[Any, ...] | None = None
