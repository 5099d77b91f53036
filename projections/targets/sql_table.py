"""Rows in a SQL table, in the log's own database: row and checkpoint commit together."""

from collections.abc import Sequence
from typing import Any

from eventstore import DefinitionError, Unsupported
from eventstore.sql_database import SqlDatabase
from projections.model import Model
from projections.targets.sql_generations import BoundSqlTable

MAX_NAME_LENGTH = 40
"""Leaves room, within PostgreSQL's 63 bytes, for the generation's number and an index's fields."""


class SqlTable:
    """Keeps a projection's rows in a table that any SQL tool can read.

    Args:
        name: what queries, and other programs, call it: a view of the live generation.
        indexes: fields, or sequences of fields, to index.
        unique: fields, or sequences of fields, whose values no two rows may share.
    """

    needs_sql = True
    joins_appends = keeps_read = True

    def __init__(
        self,
        name: str,
        *,
        indexes: Sequence[str | Sequence[str]] = (),
        unique: Sequence[str | Sequence[str]] = (),
    ) -> None:
        self.name = check_name("SqlTable", name)
        self.indexes = [field_names(each) for each in indexes]
        self.unique = [field_names(each) for each in unique]

    @property
    def divisible(self) -> bool:
        """Whether no rule holds over rows of different keys."""
        return not self.unique

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundSqlTable":
        """The table in the log's database.

        Raises:
            Unsupported: the log is not in a SQL database.
            DefinitionError: an index names a field that the model lacks.
        """
        database: SqlDatabase | None = backend.sql
        if database is None:
            raise Unsupported(
                f"projection {projection!r}: SqlTable({self.name!r}) needs a SQL database, and the log is in "
                f"{backend.description}; use MemoryTable(), or a sqlite:// or postgresql:// URL"
            )
        for fields in [*self.indexes, *self.unique]:
            for name in fields:
                if model.field(name) is None:
                    known = ", ".join(each.name for each in model.fields)
                    raise DefinitionError(
                        f"SqlTable({self.name!r}): {model.cls.__name__} has no field {name!r}; it has {known}"
                    )
        return BoundSqlTable(self.name, database, projection, model, indexes=self.indexes, unique=self.unique)


def check_name(kind: str, name: str) -> str:
    """The name of a table or a view, if it needs no quotes and leaves room for what is added to it.

    Raises:
        DefinitionError: it does, or does not.
    """
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    if not plain or len(name) > MAX_NAME_LENGTH:
        raise DefinitionError(
            f"{kind}: expected a name of at most {MAX_NAME_LENGTH} characters of a-z, 0-9 and _, got {name!r}"
        )
    return name


def field_names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One field, or several, as several."""
    return (given,) if isinstance(given, str) else tuple(given)
