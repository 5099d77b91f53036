"""From a model's fields to SQLAlchemy columns."""

import enum
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    LargeBinary,
    Numeric,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from projections.model import Field, Model

_SIMPLE: dict[type, type[TypeEngine[Any]]] = {
    str: Text,
    int: BigInteger,
    float: Double,
    bool: Boolean,
    date: Date,
    uuid.UUID: Uuid,
    bytes: LargeBinary,
}


DECIMAL_ORDER = "eventfold_decimal"


def compare_decimals(first: str, second: str) -> int:
    """The order of two decimals that are stored as text."""
    return int(Decimal(first).compare(Decimal(second)))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` where there is one, sortable ISO text in UTC on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in this database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What is stored."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a datetime with a time zone, got {value.isoformat()}")
        instant = value.astimezone(UTC)
        return instant if dialect.name == "postgresql" else instant.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """What is read."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal without loss: `numeric` where there is one, text on SQLite (compare it there with a cast).

    Our own queries compare it there as what it is, under the collation `DECIMAL_ORDER`.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in this database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """What is stored."""
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """What is read."""
        return Decimal(value) if isinstance(value, str) else value


class JsonText(TypeDecorator[Any]):
    """Everything else, as JSON text by msgspec: nested Structs, lists, dicts, enums.

    Args:
        declared: the field's type, into which the JSON is read back.
    """

    impl = Text
    cache_ok = False

    def __init__(self, declared: Any) -> None:
        super().__init__()
        self.read = msgspec.json.Decoder(declared).decode

    def write(self, value: Any) -> str:
        """A value as JSON text; `read` makes a value of it again."""
        return msgspec.json.encode(value, order="deterministic").decode()

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """What is stored."""
        return None if value is None else self.write(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """What is read."""
        return None if value is None else self.read(value)


class EnumText(TypeDecorator[Any]):
    """An enum of texts, as its value.

    Args:
        declared: the enum.
    """

    impl = Text
    cache_ok = False

    def __init__(self, declared: type[enum.Enum]) -> None:
        super().__init__()
        self._enum = declared

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """What is stored."""
        return value.value if isinstance(value, self._enum) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """What is read."""
        return None if value is None else self._enum(value)


def columns_of(model: Model) -> list[Column[Any]]:
    """A column for each field, always quoted: no database's list of reserved words is ever complete."""
    return [
        Column(
            quoted_name(field.name, quote=True),
            column_type(field),
            primary_key=i == 0,
            nullable=field.nullable,
            autoincrement=False,
        )
        for i, field in enumerate(model.fields)
    ]


def column_type(field: Field) -> TypeEngine[Any]:
    """What a field's values are stored as."""
    declared = field.type
    simple = _SIMPLE.get(declared) if isinstance(declared, type) else None
    if simple is not None:
        return simple()
    if declared is datetime:
        return UtcDateTime()
    if declared is Decimal:
        return ExactDecimal()
    if isinstance(declared, type) and issubclass(declared, enum.Enum) and _holds_texts(declared):
        return EnumText(declared)
    return JsonText(declared)


def _holds_texts(declared: type[enum.Enum]) -> bool:
    return all(isinstance(each.value, str) for each in declared)


def is_comparable(declared: Any) -> bool:
    """Whether values of a field's type have the same order in Python and in every database."""
    if not isinstance(declared, type):
        return False
    return (
        declared in _SIMPLE
        or declared in {datetime, Decimal}
        or (issubclass(declared, enum.Enum) and issubclass(declared, str))
    )
