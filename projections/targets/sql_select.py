"""From a selection to a SQL statement."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, false, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from projections.columns import DECIMAL_ORDER, ExactDecimal
from projections.selection import Condition, Selection


def select_statement(table: Table, selection: Selection) -> Select[Any]:
    """The rows in their order, nulls first as in every target, from after the last page on."""
    statement = select(table).where(*where(table, selection))
    if selection.after is not None:
        statement = statement.where(_after(table, selection))
    for order in selection.order:
        column = column_of(table, order.field)
        ordered = column.desc().nulls_last() if order.descending else column.asc().nulls_first()
        statement = statement.order_by(ordered)
    return statement.limit(selection.limit) if selection.limit is not None else statement


def count_statement(table: Table, selection: Selection) -> Select[Any]:
    """How many rows match."""
    return select(func.count()).select_from(table).where(*where(table, selection))


def column_of(table: Table, name: str) -> Any:
    """A field's column, in the order that its values have."""
    column = table.c[name]
    return InOrder(column) if isinstance(column.type, ExactDecimal) else column


class InOrder(ColumnElement[Any]):
    """A column of decimals, compared as decimals also where they are kept as text."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy's own way

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(InOrder)
def _plain(element: InOrder, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(InOrder, "sqlite")
def _collated(element: InOrder, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} COLLATE {DECIMAL_ORDER}"


def where(table: Table, selection: Selection) -> list[ColumnElement[bool]]:
    """What must hold of a row."""
    return [*[_condition(table, each) for each in selection.conditions], *selection.expressions]


def _condition(table: Table, condition: Condition) -> ColumnElement[bool]:
    column, value = column_of(table, condition.field), condition.value
    compare: dict[str, Any] = {
        "eq": lambda: column == value,
        "ne": lambda: column != value,
        "lt": lambda: column < value,
        "lte": lambda: column <= value,
        "gt": lambda: column > value,
        "gte": lambda: column >= value,
        "in": lambda: column.in_(list(value)),
        "prefix": lambda: func.substr(column, 1, len(value)) == value,
        "null": lambda: column.is_(None) if value else column.is_not(None),
    }
    found: ColumnElement[bool] = compare[condition.operator]()
    return found


def _after(table: Table, selection: Selection) -> ColumnElement[bool]:
    """Later in the order than the last row: equal in the first n fields and beyond it in the next one, for each n."""
    assert selection.after is not None  # noqa: S101 - for the type checker; the caller has looked
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for order, last in zip(selection.order, selection.after, strict=True):
        column = column_of(table, order.field)
        ways.append(and_(*equal, _beyond(column, last, descending=order.descending)))
        equal.append(column.is_(None) if last is None else column == last)
    return or_(*ways)


def _beyond(column: Any, last: Any, *, descending: bool) -> ColumnElement[bool]:
    if last is None:
        return false() if descending else column.is_not(None)
    return or_(column < last, column.is_(None)) if descending else column > last
