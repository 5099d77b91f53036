"""Reads the live rows of a SQL table, and where they stand, on one connection."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Table

from projections.columns import DECIMAL_ORDER, compare_decimals
from projections.measure import Measure
from projections.model import Model
from projections.selection import Selection
from projections.targets.sql_aggregate import aggregate_statement, know_decimals, read_aggregate
from projections.targets.sql_select import count_statement, select_statement


class Standing(Protocol):
    """What knows where rows stand."""

    def live_position(self, connection: Connection) -> tuple[int, int]:
        """Everything up to here is in the rows; and how many events they lack that wait aside."""


class SqlReader:
    """A reader through the view.

    A server that crashes may take back commits of read models, see ADR 0010, but it ends this connection as well. So rows that are
    read here after the position are never older than it.
    """

    def __init__(self, connection: Connection, registry: Standing, table: Table, model: Model) -> None:
        self._connection = connection
        self._registry = registry
        self._table = table
        self._model = model
        self._stands: tuple[int, int] | None = None
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.create_collation(DECIMAL_ORDER, compare_decimals)
            know_decimals(raw)

    @property
    def position(self) -> int:
        """Everything up to here is in the rows."""
        self._stands = self._registry.live_position(self._connection)
        return self._stands[0]

    @property
    def parked(self) -> int:
        """How many events up to that position are not in the rows."""
        return (self._stands or self._registry.live_position(self._connection))[1]

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants."""
        make = self._model.make
        return [make(*row) for row in self._connection.execute(select_statement(self._table, selection))]

    def count(self, selection: Selection) -> int:
        """How many they are."""
        return int(self._connection.execute(count_statement(self._table, selection)).scalar_one())

    def aggregate(
        self, selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
    ) -> list[dict[str, Any]]:
        """The measures of each group, in the order of the groups."""
        types = {field.name: field.type for field in self._model.fields}
        found = self._connection.execute(aggregate_statement(self._table, selection, groups, measures))
        return [read_aggregate(tuple(row), groups, measures, types) for row in found]
