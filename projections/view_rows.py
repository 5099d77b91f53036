"""What the rows of a reporting view look like: as declared, or as the database tells."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Column, MetaData, Table, inspect
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import NullType

from eventstore.sql_database import SqlDatabase
from projections.columns import columns_of
from projections.errors import InvalidQuery
from projections.model import Field, Model
from projections.reporting_view import ReportingView
from projections.row_check import RowCheck


class ViewModel(Model, frozen=True):
    """A model whose rows SQL has computed, in types of its own: the sum of integers is a numeric, for instance."""

    @property
    def make(self) -> Callable[..., Any]:
        """Makes a row of the fields' values, each as its field has it, or refuses it."""
        cls, fields, check = self.cls, self.fields, RowCheck(self)

        def make(*values: Any) -> Any:
            row = cls(*[_as_declared(value, field.type) for value, field in zip(values, fields, strict=True)])
            if not check.passes([row]):
                raise InvalidQuery(f"{check.fault(row)}; mend the SQL of the view, with a CAST for instance")
            return row

        return make


def view_model(view: ReportingView, database: SqlDatabase) -> Model:
    """The model that is declared, or one of the columns that are there."""
    if (declared := view.model) is not None:
        return ViewModel(declared.cls, declared.fields, declared.shape)
    columns = _columns(view, database)
    fields = tuple(Field(str(column.name), _python_type(column), nullable=True) for column in columns)
    made = msgspec.defstruct(view.name, [(each.name, Any) for each in fields], frozen=True)
    return Model(made, fields, "")


def table_of(view: ReportingView, database: SqlDatabase, model: Model) -> Table:
    """The view, as SQLAlchemy knows it."""
    columns = _columns(view, database) if view.model is None else columns_of(model)
    return Table(quoted_name(view.name, quote=True), MetaData(schema=database.schema), *columns)


def _columns(view: ReportingView, database: SqlDatabase) -> Sequence[Column[Any]]:
    with database.reading(together=True) as connection:
        found = inspect(connection).get_columns(view.name, schema=database.schema)
    return [Column(quoted_name(each["name"], quote=True), each["type"]) for each in found]


def _python_type(column: Column[Any]) -> Any:
    if isinstance(column.type, NullType):
        return Any
    try:
        return column.type.python_type
    except NotImplementedError:
        return Any


def _as_declared(value: Any, declared: Any) -> Any:
    if declared is int and isinstance(value, (Decimal, float)) and value == int(value):
        return int(value)
    if declared is float and isinstance(value, Decimal):
        return float(value)
    if declared is Decimal and isinstance(value, (int, float)):
        return Decimal(str(value))
    return value
