"""What a query can compute over many rows: `sum_of("amount")`, `count_of()`, and so on."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from projections.condition import comparable, field_of
from projections.errors import InvalidQuery
from projections.model import Model, shown

Function: TypeAlias = Literal["sum", "avg", "min", "max", "count"]


class Measure(msgspec.Struct, frozen=True):
    """A function over the values that a field has in many rows; None counts nowhere.

    Attributes:
        function: which.
        field: whose values; None for `count_of()`, which counts rows.
    """

    function: Function
    field: str | None = None


def sum_of(field: str) -> Measure:
    """The sum of a numeric field; None where it has no values."""
    return Measure("sum", field)


def avg_of(field: str) -> Measure:
    """The average of a numeric field, a float (a Decimal of decimals); None where it has no values."""
    return Measure("avg", field)


def min_of(field: str) -> Measure:
    """The smallest value of a field; None where it has none."""
    return Measure("min", field)


def max_of(field: str) -> Measure:
    """The greatest value of a field; None where it has none."""
    return Measure("max", field)


def count_of(field: str | None = None) -> Measure:
    """How many rows there are, or how many have a value in a field."""
    return Measure("count", field)


def check_measures(model: Model, measures: Mapping[str, Any]) -> dict[str, Measure]:
    """Returns the measures if the model has what they ask for.

    Raises:
        InvalidQuery: none is given, one is not a measure, or a field is missing or of the wrong type.
    """
    if not measures:
        raise InvalidQuery("aggregate: expected at least one measure, as in aggregate(total=sum_of('amount'))")
    for name, measure in measures.items():
        if not isinstance(measure, Measure):
            raise InvalidQuery(f"aggregate: {name}: expected a measure such as sum_of('amount'), got {measure!r}")
        _check_measure(model, measure)
    return dict(measures)


def _check_measure(model: Model, measure: Measure) -> None:
    if measure.field is None:
        return
    field, where = field_of(model, measure.field), f"{measure.function}_of"
    if measure.function in {"min", "max"}:
        comparable(field, where)
    elif measure.function != "count" and field.type not in {int, float, Decimal}:
        raise InvalidQuery(
            f"{where}: expected a field of int, float or Decimal, got {field.name}, which is {shown(field)}"
        )


def check_groups(model: Model, fields: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of fields to group by.

    Raises:
        InvalidQuery: none is given, or one cannot be grouped by.
    """
    if not fields:
        raise InvalidQuery("group_by: expected at least one field")
    return tuple(comparable(field_of(model, name), "group_by").name for name in fields)


def measured(measure: Measure, rows: Iterable[Any]) -> Any:
    """The value of a measure over rows in memory: the reference for what databases compute."""
    if measure.field is None:
        return sum(1 for _ in rows)
    values = [value for row in rows if (value := getattr(row, measure.field)) is not None]
    if measure.function == "count":
        return len(values)
    if not values:
        return None
    if measure.function == "avg":
        return sum(values[1:], values[0]) / len(values)
    return {"sum": lambda: sum(values[1:], values[0]), "min": lambda: min(values), "max": lambda: max(values)}[
        measure.function
    ]()
