"""Which fields of a read model's rows are shown, and how each stands in a table."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from eventfold.cli.session import usage_error
from eventfold.cli.table import Column, number, word
from projections.model import Field, Model

ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="FIELDS", help="Only these, with commas between them.")
]


def chosen_fields(model: Model, columns: str | None) -> list[Field]:
    """The fields that are named, in that order; without names all of them."""
    if columns is None:
        return list(model.fields)
    return [_field(model, name.strip()) for name in columns.split(",")]


def columns_of(fields: Iterable[Field]) -> list[Column]:
    """How fields are shown in a table."""
    return [_column(each) for each in fields]


def row_as_dict(row: Any, fields: Iterable[Field]) -> dict[str, Any]:
    """A row's fields by name."""
    return {each.name: getattr(row, each.name) for each in fields}


def _field(model: Model, name: str) -> Field:
    found = model.field(name)
    if found is None:
        has = ", ".join(each.name for each in model.fields)
        usage_error(f"--columns: {model.cls.__name__} has no field {name!r}; it has {has}")
    return found


def _column(field: Field) -> Column:
    if field.type in {int, float, Decimal}:
        return number(field.name)
    return word(field.name) if field.type in {date, datetime} else Column(field.name)
