"""Checks that rows are what their model says, before they are stored.

A Struct does not check its fields when it is made, and SQLite stores what it is given. So the rows of a batch are checked
together, column by column: the types of a column's values are a set of one or two, whatever the number of rows. Nested
values are read back from the JSON that they are stored as.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import msgspec

from projections.columns import JsonText, column_type
from projections.model import Field, Model, shown

_ACCEPTED: dict[type, tuple[type, ...]] = {float: (float, int)}
_REFUSED: dict[type, type] = {int: bool, float: bool, date: datetime}
"""Subclasses that would be stored as something else."""
_LOOKED_AT: dict[type, tuple[Callable[[Any], bool], str]] = {
    float: (lambda value: value != value, ", not NaN"),  # noqa: PLR0124 - NaN alone is not itself
    datetime: (lambda value: value.tzinfo is None, " with a time zone"),
}
"""Which values of a type are wrong; SQLite would store NaN as nothing, and an instant without a zone is none."""


class RowCheck:
    """The check of one model's rows.

    Args:
        model: what a row must be.
    """

    def __init__(self, model: Model) -> None:
        self._name = model.cls.__name__
        self._columns = [(attrgetter(field.name), _check_of(field)) for field in model.fields]

    def passes(self, rows: Sequence[msgspec.Struct]) -> bool:
        """Whether every value of every row fits its field."""
        return all(check.passes(map(value_of, rows)) for value_of, check in self._columns)

    def fault(self, row: msgspec.Struct) -> str | None:
        """The first field of a row that is wrong, what was expected there, and what was found; None where nothing is."""
        for value_of, check in self._columns:
            value = value_of(row)
            if not check.passes([value]):
                found = f"{value!r} ({type(value).__name__})"
                return f"{self._name}.{check.field.name}: expected {check.expected(value)}, got {found}"
        return None


class _PlainColumn:
    """Values that have a column type of their own: right if their type is."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._right: set[type] = {type(None)} if field.nullable else set()

    def passes(self, values: Iterable[Any]) -> bool:
        """Whether they all fit."""
        unknown = set(map(type, values)) - self._right
        if not all(self._is_right(kind) for kind in unknown):
            return False
        self._right |= unknown
        return True

    def expected(self, _value: Any) -> str:
        """What a wrong value should have been."""
        return shown(self.field)

    def _is_right(self, kind: type) -> bool:
        declared = self.field.type
        refused = _REFUSED.get(declared)
        return issubclass(kind, _ACCEPTED.get(declared, declared)) and not (refused and issubclass(kind, refused))


class _LookedAtColumn(_PlainColumn):
    """Values whose type alone says too little."""

    def passes(self, values: Iterable[Any]) -> bool:
        """Whether they all fit."""
        is_wrong, _ = _LOOKED_AT[self.field.type]
        chosen = list(values)
        return super().passes(chosen) and not any(value is not None and is_wrong(value) for value in chosen)

    def expected(self, _value: Any) -> str:
        """What a wrong value should have been."""
        return f"{shown(self.field)}{_LOOKED_AT[self.field.type][1]}"


class _JsonColumn:
    """Nested values: right if they can be read back."""

    def __init__(self, field: Field, column: JsonText) -> None:
        self.field = field
        self._column = column

    def passes(self, values: Iterable[Any]) -> bool:
        """Whether they all fit."""
        return all(self._problem(value) is None for value in values)

    def expected(self, value: Any) -> str:
        """What a wrong value should have been."""
        return f"{shown(self.field)}: {self._problem(value)}"

    def _problem(self, value: Any) -> str | None:
        if value is None:
            return None if self.field.nullable else "there is no None"
        try:
            self._column.read(self._column.write(value))
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            return str(error)
        return None


def _check_of(field: Field) -> _PlainColumn | _JsonColumn:
    column = column_type(field)
    if isinstance(column, JsonText):
        return _JsonColumn(field, column)
    return (_LookedAtColumn if field.type in _LOOKED_AT else _PlainColumn)(field)
