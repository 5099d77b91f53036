"""Queries over a read model: typed, checked against the model, with read-your-writes."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, Self, TypeVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import Table

from eventstore.token import position_of
from projections.condition import comparable, condition_of, field_of
from projections.cursor import cursor_of, read_cursor
from projections.engine import Engine
from projections.errors import InvalidQuery
from projections.model import Model
from projections.selection import Order, Selection
from projections.target import Reader
from projections.track import Track
from projections.visibility import read_after

M = TypeVar("M")
T = TypeVar("T")

WAIT_SECONDS = 5.0
PAGE_SIZE = 50
MAX_PAGE = 100_000


class Page(msgspec.Struct, Generic[M], frozen=True):
    """Rows, and the cursor for the page after them.

    Attributes:
        items: the rows.
        next: opaque text for `page(cursor=...)`; None on the last page.
    """

    items: list[M]
    next: str | None


class ModelQuery(Generic[M]):
    """A query that is built up step by step; every step returns a new one.

        app.query(Balance).where(amount__gte=100).order_by("-amount").limit(10).all(after=receipt.token)

    Every method that reads takes `after`, the token of a receipt: it then waits until the read model contains that write,
    for up to `timeout` seconds, and raises `NotYetVisible` when that is over, or answers with what there is if `stale`. Where
    the projection is paused, or could not take that write, `ProjectionPaused` or `EventParked` says so.
    """

    def __init__(self, engine: Engine, track: Track, selection: Selection | None = None) -> None:
        self._engine = engine
        self._track = track
        self._model: Model = track.projection.model
        self._selection = selection if selection is not None else Selection()

    @property
    def table(self) -> Table:
        """The SQLAlchemy table over the live rows, for any SQL that this class does not offer.

        Raises:
            InvalidQuery: the rows are not in a SQL table.
        """
        table = getattr(self._track.target, "table", None)
        if not isinstance(table, Table):
            raise InvalidQuery(f"{self._model.cls.__name__} is not kept in a SQL table but in {self._track.name!r}")
        return table

    # -- building --------------------------------------------------------------------------------------------------

    def where(self, *expressions: Any, **conditions: Any) -> Self:
        """Only rows for which all of this holds.

        Args:
            expressions: SQLAlchemy expressions over `table.c`.
            conditions: `field=value`, or `field__operator=value` with ne, lt, lte, gt, gte, in, prefix or null.

        Raises:
            InvalidQuery: no such field or operator, or a value that the field cannot have.
        """
        parsed = tuple(condition_of(self._model, name, value) for name, value in conditions.items())
        old = self._selection
        return self._with(conditions=old.conditions + parsed, expressions=old.expressions + expressions)

    def order_by(self, *fields: str) -> Self:
        """Sorts by these fields; `-field` descending. Nulls come first. The key breaks ties."""
        order = tuple(
            Order(comparable(field_of(self._model, name.removeprefix("-")), "order_by").name, name.startswith("-"))
            for name in fields
        )
        return self._with(order=order)

    def limit(self, count: int) -> Self:
        """At most so many rows."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidQuery(f"limit: expected an integer >= 0, got {count!r}")
        return self._with(limit=count)

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(
        self, key: Any, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False
    ) -> M | None:
        """The row under a key; None where there is none."""
        selection = self.where(**{self._model.key.name: key})._selection  # noqa: SLF001 - our own
        rows: list[M] = self._read(lambda reader: reader.select(selection), after, timeout, stale=stale, key=key)
        return rows[0] if rows else None

    def all(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> list[M]:
        """All rows that match, in order."""
        selection = self._ordered()
        return self._read(lambda reader: reader.select(selection), after, timeout, stale=stale)

    def first(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> M | None:
        """The first row that matches; None where none does."""
        rows = self.limit(1).all(after=after, timeout=timeout, stale=stale)
        return rows[0] if rows else None

    def count(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> int:
        """How many rows match; limit and order play no part."""
        return self._read(lambda reader: reader.count(self._selection), after, timeout, stale=stale)

    def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: bool = False,
    ) -> Page[M]:
        """One page of rows.

        Args:
            cursor: the `next` of the page before; None for the first page.
            size: how many rows a page has; by default the query's `limit`, or 50.
            after: the token of a receipt whose write must be visible.
            timeout: how many seconds to wait for that.
            stale: answer with what there is when the time is over.

        Raises:
            InvalidQuery: the cursor is not one of this query's, or the size is said twice or out of bounds.
            NotYetVisible: the write did not become visible in time.
        """
        size = self._page_size(size)
        selection = replace(self._ordered(), limit=size + 1)
        if cursor is not None:
            selection = replace(selection, after=read_cursor(cursor, self._model, selection.order))
        rows: list[M] = self._read(lambda reader: reader.select(selection), after, timeout, stale=stale)
        if len(rows) <= size:
            return Page(rows, None)
        return Page(rows[:size], cursor_of(rows[size - 1], selection.order))

    def _page_size(self, size: int | None) -> int:
        limit = self._selection.limit
        if size is not None and limit is not None:
            raise InvalidQuery(f"page: the query's limit({limit}) is the size of a page already; leave out size={size}")
        name, chosen = ("size", size) if size is not None else ("limit", PAGE_SIZE if limit is None else limit)
        if isinstance(chosen, bool) or not isinstance(chosen, int) or not 0 < chosen <= MAX_PAGE:
            raise InvalidQuery(f"page: {name}: expected an integer from 1 to {MAX_PAGE:,}, got {chosen!r}")
        return chosen

    def __iter__(self) -> Iterator[M]:
        return iter(self.all())

    def _read(
        self, read: Callable[[Reader], T], after: str | None, timeout: float, *, stale: bool, key: Any = None
    ) -> T:
        self._track.generation  # noqa: B018 - made on first use, so that a query before the first event finds a table
        if after is None:
            with self._track.target.reading() as reader:
                return read(reader)
        position = position_of(after)
        return read_after(self._engine, self._track, position, read, seconds=timeout, stale=stale, key=key)

    def _ordered(self) -> Selection:
        key = self._model.key.name
        order = self._selection.order
        if all(each.field != key for each in order):
            order = (*order, Order(key))
        return replace(self._selection, order=order)

    def _with(self, **changes: Any) -> Self:
        return type(self)(self._engine, self._track, replace(self._selection, **changes))
