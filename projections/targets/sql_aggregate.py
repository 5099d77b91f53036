"""Measures over rows as a SQL statement, and its answer as values of the fields' types."""

import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from projections.columns import ExactDecimal
from projections.measure import Measure
from projections.selection import Selection
from projections.targets.sql_select import column_of, where

DECIMAL_SUM = "eventfold_decimal_sum"


class DecimalSum:
    """SQLite's sum of decimals that are kept as text, without loss."""

    def __init__(self) -> None:
        self._sum: Decimal | None = None

    def step(self, value: str | None, /) -> None:
        """Takes one value."""
        if value is not None:
            self._sum = Decimal(value) if self._sum is None else self._sum + Decimal(value)

    def finalize(self) -> str | None:
        """The sum."""
        return None if self._sum is None else str(self._sum)


class Sum(ColumnElement[Any]):
    """A sum of decimals, without loss also where they are kept as text."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy's own way

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(Sum)
def _plain(element: Sum, compiler: Any, **options: Any) -> str:
    return f"sum({compiler.process(element.column, **options)})"


@compiles(Sum, "sqlite")
def _exact(element: Sum, compiler: Any, **options: Any) -> str:
    return f"{DECIMAL_SUM}({compiler.process(element.column, **options)})"


def know_decimals(connection: sqlite3.Connection) -> None:
    """Teaches a connection to SQLite to sum decimals."""
    connection.create_aggregate(DECIMAL_SUM, 1, DecimalSum)  # type: ignore[arg-type]  # typeshed: finalize must return an int


def aggregate_statement(
    table: Table, selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
) -> Select[Any]:
    """The groups' fields, and for each measure its value and by how much it is to be divided, in the groups' order."""
    keys = [table.c[name] for name in groups]
    values = [each for measure in measures.values() for each in _columns(table, measure)]
    statement = select(*keys, *values).where(*where(table, selection))
    ordered = [column_of(table, name).asc().nulls_first() for name in groups]
    return statement.group_by(*keys).order_by(*ordered) if keys else statement


def read_aggregate(
    row: Sequence[Any], groups: Sequence[str], measures: Mapping[str, Measure], types: Mapping[str, type]
) -> dict[str, Any]:
    """One group as names and values."""
    found = dict(zip(groups, row, strict=False))
    values = iter(row[len(groups) :])
    for name, measure in measures.items():
        found[name] = _value(measure, next(values), next(values), types.get(measure.field or ""))
    return found


def _columns(table: Table, measure: Measure) -> list[Any]:
    if measure.field is None:
        return [func.count(), func.count()]
    plain, ordered = table.c[measure.field], column_of(table, measure.field)
    counted = func.count(plain)
    match measure.function:
        case "count":
            return [counted, counted]
        case "min":
            return [func.min(ordered, type_=plain.type), counted]
        case "max":
            return [func.max(ordered, type_=plain.type), counted]
        case _:
            return [Sum(plain) if isinstance(plain.type, ExactDecimal) else func.sum(plain), counted]


def _value(measure: Measure, value: Any, count: int, declared: type | None) -> Any:
    if value is None or measure.function in {"count", "min", "max"}:
        return value
    total = int(value) if declared is int else value  # the sum of bigint is numeric on PostgreSQL
    return total / count if measure.function == "avg" else total
