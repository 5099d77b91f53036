"""Conditions of a query: from `amount__gte=100` to a comparison that was checked against the model."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from projections.columns import is_comparable
from projections.errors import InvalidQuery
from projections.model import Field, Model
from projections.selection import OPERATORS, Condition, Operator

_MAX_INTEGER = 2**63


def field_of(model: Model, name: str) -> Field:
    """A model's field.

    Raises:
        InvalidQuery: it has none of that name.
    """
    field = model.field(name)
    if field is None:
        known = ", ".join(each.name for each in model.fields)
        raise InvalidQuery(f"{model.cls.__name__} has no field {name!r}; it has {known}")
    return field


def condition_of(model: Model, name: str, value: Any) -> Condition:
    """What `where(name=value)` asks for, with the value as the field has it.

    Raises:
        InvalidQuery: no such field or operator, or a value that the field cannot have.
    """
    plain, _, operator = name.partition("__")
    field = field_of(model, plain)
    chosen = next((each for each in OPERATORS if each == (operator or "eq")), None)
    if chosen is None:
        raise InvalidQuery(f"{name}: expected one of the operators {', '.join(OPERATORS)}, got {operator!r}")
    return _CHECKS.get(chosen, _check_value)(field, chosen, value)


def _check_value(field: Field, operator: Operator, value: Any) -> Condition:
    if value is None:
        if operator == "eq":
            return Condition(field.name, "null", value=True)
        raise InvalidQuery(f"{field.name}__{operator}: expected a value, got None; use {field.name}__null=False")
    if operator in {"lt", "lte", "gt", "gte"}:
        comparable(field, operator)
    try:
        read = msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        raise InvalidQuery(f"{field.name}: {error}, got {value!r}") from None
    if problem := _unstorable(read):
        raise InvalidQuery(f"{field.name}: expected {problem}, got {value!r}")
    return Condition(field.name, operator, read)


def _unstorable(value: Any) -> str | None:
    """What is expected instead of a value that no database could even compare with."""
    if isinstance(value, str) and (
        "\0" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value))
    ):
        return "text without NUL and lone surrogates"
    if isinstance(value, int) and not -_MAX_INTEGER <= value < _MAX_INTEGER:
        return "an integer of 64 bits"
    if isinstance(value, datetime) and value.tzinfo is None:
        return "a datetime with a time zone"
    if isinstance(value, (float, Decimal)) and value != value:  # noqa: PLR0124 - NaN alone is not itself
        return "a number"
    return None


def comparable(field: Field, where: str) -> Field:
    """The field, if its values have an order.

    Raises:
        InvalidQuery: they have none.
    """
    if not is_comparable(field.type):
        raise InvalidQuery(f"{where}: {field.name} is {field.type}, whose values have no order in every database")
    return field


def _check_in(field: Field, operator: Operator, value: Any) -> Condition:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise InvalidQuery(f"{field.name}__in: expected a list of values, got {value!r}")
    return Condition(field.name, operator, tuple(_check_value(field, "in", each).value for each in value))


def _check_prefix(field: Field, operator: Operator, value: Any) -> Condition:
    if field.type is not str or not isinstance(value, str):
        raise InvalidQuery(f"{field.name}__prefix: expected text on a text field, got {value!r} on {field.type}")
    return Condition(field.name, operator, value)


def _check_null(field: Field, operator: Operator, value: Any) -> Condition:
    if not isinstance(value, bool):
        raise InvalidQuery(f"{field.name}__null: expected True or False, got {value!r}")
    return Condition(field.name, operator, value)


_CHECKS: dict[Operator, Callable[[Field, Operator, Any], Condition]] = {
    "in": _check_in,
    "prefix": _check_prefix,
    "null": _check_null,
}
