"""Rows in a SQL table, in the log's own database or in another: row and checkpoint commit together."""

from collections.abc import Sequence
from typing import Any

from eventstore import DefinitionError, Unsupported
from eventstore.sql_database import SqlDatabase
from projections.model import Model
from projections.other_database import other_database
from projections.targets.sql_generations import BoundSqlTable

MAX_NAME_LENGTH = 40
"""Leaves room, within PostgreSQL's 63 bytes, for the generation's number and an index's fields."""


class SqlTable:
    """Keeps a projection's rows in a table that any SQL tool can read.

    Args:
        name: what queries, and other programs, call it: a view of the live generation.
        indexes: fields, or sequences of fields, to index.
        unique: fields, or sequences of fields, whose values no two rows may share.
        url: of another database than the log's, where the rows' checkpoints are then kept as well: `sqlite:///path` or
            `postgresql://user@host/database`, with `?schema=` and `?prefix=` as for `--database`, and `${NAME}` for a variable
            of the environment. It may be away while the log is not.
    """

    joins_appends = keeps_read = True

    def __init__(
        self,
        name: str,
        *,
        indexes: Sequence[str | Sequence[str]] = (),
        unique: Sequence[str | Sequence[str]] = (),
        url: str | None = None,
    ) -> None:
        self.name = check_name("SqlTable", name)
        self.indexes = [field_names(each) for each in indexes]
        self.url = url
        self.unique = [field_names(each) for each in unique]

    @property
    def needs_sql(self) -> bool:
        """Whether the rows are kept in the log's own database."""
        return self.url is None

    @property
    def divisible(self) -> bool:
        """Whether no rule holds over rows of different keys."""
        return not self.unique

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundSqlTable":
        """The table in its database.

        Raises:
            Unsupported: the log is not in a SQL database.
            DefinitionError: an index names a field that the model lacks.
        """
        where = f"SqlTable({self.name!r})"
        database: SqlDatabase | None = backend.sql if self.url is None else other_database(backend, where, self.url)
        if database is None:
            raise Unsupported(
                f"projection {projection!r}: {where} needs a SQL database, and the log is in "
                f"{backend.description}; use MemoryTable(), or name a database with url="
            )
        for fields in [*self.indexes, *self.unique]:
            for name in fields:
                if model.field(name) is None:
                    known = ", ".join(each.name for each in model.fields)
                    raise DefinitionError(f"{where}: {model.cls.__name__} has no field {name!r}; it has {known}")
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
