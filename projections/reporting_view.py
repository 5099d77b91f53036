"""Reporting views: SQL over the tables of read models, under a name of its own."""

import hashlib
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, TypeAlias

import msgspec

from eventstore import DefinitionError
from projections.model import Model, model_of
from projections.projection import BoundProjection, Projection
from projections.targets.sql_table import check_name, field_names

Source: TypeAlias = "Projection[Any] | BoundProjection[Any] | type[Any] | str"
"""A read model: its projection, its model, or the name of its projection or its table."""


class ReportingView:
    """Named SQL over the tables of read models: a view that always shows the rows that queries see.

        ReportingView("revenue", "SELECT month, sum(cents) AS cents FROM {orders} GROUP BY month", over=[orders])

    The tables stand in braces, by the name of the projection, the table or the model's class; other braces are doubled. So the SQL
    is bound to the live generation of each table, and bound anew, in the transaction of the swap, when a rebuild has made
    another one.

    Args:
        name: what queries, and other programs, call it.
        sql: one SELECT in the database's own words.
        over: the read models whose tables it reads, all of one database.
        model: what a row looks like, for typed queries: a frozen Struct whose fields are columns of the SELECT. By default rows
            have the columns that the database tells of.
        unique: the columns that tell rows apart: of pages, and of a materialised view, which is then refreshed row by row. By
            default the model's first field.
        materialized: whether the rows are kept, and computed again at each refresh only.
        refresh_events: a worker refreshes it after so many events were folded into the tables.
        refresh_seconds: a worker refreshes it after so many seconds, if anything was folded.

    Raises:
        DefinitionError: something of that is not acceptable.
    """

    def __init__(
        self,
        name: str,
        sql: str,
        *,
        over: Sequence[Source],
        model: type[msgspec.Struct] | None = None,
        unique: str | Sequence[str] = (),
        materialized: bool = False,
        refresh_events: int | None = None,
        refresh_seconds: float | None = None,
    ) -> None:
        self.name = check_name("ReportingView", name)
        self.where = f"ReportingView({name!r})"
        self._parts = list(_parts(self.where, sql))
        self.placeholders = list(dict.fromkeys(each for _, each in self._parts if each is not None))
        self.over = self._checked(over)
        self.model: Model | None = None if model is None else model_of(model)
        self.unique = field_names(unique) or (() if self.model is None else (self.model.key.name,))
        self.materialized = materialized
        self.refresh_events, self.refresh_seconds = refresh_events, refresh_seconds
        self._check_unique()
        self._check_refresh()

    @property
    def refreshes(self) -> bool:
        """Whether a worker refreshes it by itself."""
        return self.refresh_events is not None or self.refresh_seconds is not None

    @property
    def schedule(self) -> str | None:
        """When a worker refreshes it, for people."""
        events, seconds = self.refresh_events, self.refresh_seconds
        told = [*([f"{events} events"] if events else []), *([f"{seconds:g} s"] if seconds else [])]
        return f"every {' or '.join(told)}" if told else None

    @property
    def fingerprint(self) -> str:
        """Changes with whatever the database is told of it."""
        made_of = (self._parts, self.unique, self.materialized)
        return hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]

    def sql(self, tables: Mapping[str, str]) -> str:
        """The SELECT over these tables, by placeholder."""
        return "".join(text + ("" if name is None else tables[name]) for text, name in self._parts)

    def names_of(self, projection: Projection[Any], table: str) -> set[str]:
        """The names by which the SQL may call a table, if `over` names it: by its own, or with its projection or model."""
        cls = projection.model.cls
        if table in self.over:
            return {table}
        named = any(
            each is projection
            or each is cls
            or each == projection.name
            or (isinstance(each, BoundProjection) and each.projection is projection)
            for each in self.over
        )
        return {table, projection.name, cls.__name__} if named else set()

    def _checked(self, over: Sequence[Source]) -> tuple[Source, ...]:
        if isinstance(over, (str, type)) or not over:
            raise DefinitionError(f"{self.where}: over: expected a list of the read models that it reads, got {over!r}")
        for each in over:
            if not isinstance(each, (Projection, BoundProjection, type, str)):
                raise DefinitionError(f"{self.where}: over: expected projections, models or names, got {each!r}")
        return tuple(over)

    def _check_unique(self) -> None:
        for name in self.unique:
            if self.model is not None and self.model.field(name) is None:
                raise DefinitionError(f"{self.where}: unique: {self.model.cls.__name__} has no field {name!r}")

    def _check_refresh(self) -> None:
        for name in ("refresh_events", "refresh_seconds"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise DefinitionError(f"{self.where}: {name}: expected a number above 0, got {value!r}")
            if not self.materialized:
                raise DefinitionError(
                    f"{self.where}: {name}: a plain view has nothing to refresh; leave it out, or say materialized=True"
                )


def _parts(where: str, sql: str) -> Sequence[tuple[str, str | None]]:
    """The SQL as pieces of text, each with the placeholder after it."""
    if not isinstance(sql, str) or not sql.strip():
        raise DefinitionError(f"{where}: expected the SQL of a SELECT, got {sql!r}")
    try:
        parsed = list(Formatter().parse(sql.strip().rstrip(";").rstrip()))
    except ValueError as error:
        raise DefinitionError(
            f"{where}: the SQL's braces do not match ({error}); double those that name no table"
        ) from None
    for _, name, spec, conversion in parsed:
        if name is not None and (not name.isidentifier() or spec or conversion):
            raise DefinitionError(
                f"{where}: expected the name of a table in braces, as in {{balances}}, got {{{name}}}; double other braces"
            )
    if all(name is None for _, name, _, _ in parsed):
        raise DefinitionError(f"{where}: the SQL names no table; write its name in braces, as in FROM {{balances}}")
    return [(text, name) for text, name, _, _ in parsed]
