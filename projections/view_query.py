"""Queries over a reporting view: as over a read model, but that it has no past."""

import time
from collections.abc import Callable
from typing import Any, NoReturn, Self, TypeVar

from sqlalchemy import Table

from eventstore.token import position_of
from projections.engine import Engine
from projections.errors import InvalidQuery, NotYetVisible
from projections.query import ModelQuery
from projections.selection import Order, Selection
from projections.stale import Stale, StaleOption
from projections.views import BoundView
from projections.visibility import read_after

REFRESHED_ELSEWHERE_SECONDS = 0.01
"""How long to wait where somebody else is refreshing the view, before looking again."""

M = TypeVar("M")
T = TypeVar("T")


class ViewQuery(ModelQuery[M]):
    """A query over a reporting view. See `ModelQuery` for what it can do.

    With `after=`, all tables that the view reads contain that write; a materialised view is refreshed for it where no worker
    has done so yet.

    Args:
        engine: of the application.
        view: the view.
        selection: what was chosen so far.
        since: tells the token that is meant where a method is given none.
    """

    def __init__(
        self,
        engine: Engine,
        view: BoundView,
        selection: Selection | None = None,
        *,
        since: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(engine, view.tracks[0], selection, since=since)
        self._view = view
        self._model = view.model

    @property
    def view(self) -> BoundView:
        """The view that is asked."""
        return self._view

    @property
    def table(self) -> Table:
        """The view as SQLAlchemy knows it, for any SQL that this class does not offer."""
        return self._view.table

    def as_of(self, **_moment: Any) -> NoReturn:
        """Refused: a view is computed from the rows of today.

        Raises:
            InvalidQuery: always.
        """
        raise InvalidQuery(f"as_of: the view {self._view.name!r} has no past; ask the read models that it is made of")

    def read(
        self, read: Callable[[Any], T], *, after: str | None, timeout: float, stale: StaleOption, only: Any = None
    ) -> T:
        """What a reader gives, once the rows contain a write. See `ModelQuery.read`."""
        del only
        token = after if after is not None else self._since()
        if token is None:
            with self._view.reading() as reader:
                return read(reader)
        position, deadline = position_of(token), time.monotonic() + timeout
        while True:
            for track in self._view.tracks:
                left = max(0.0, deadline - time.monotonic())
                read_after(self._engine, track, position, lambda _: None, seconds=left, stale=bool(stale))
            self._refresh_to(position)
            with self._view.reading() as reader:
                reached = reader.position
                if reached >= position or stale:
                    if reached < position and callable(stale):
                        stale(Stale(self._view.name, position, reached))
                    return read(reader)
            if time.monotonic() >= deadline:
                raise NotYetVisible(self._view.name, position, reached, timeout)
            time.sleep(REFRESHED_ELSEWHERE_SECONDS)

    def _refresh_to(self, position: int) -> None:
        self._view.ensure()  # older code with other SQL may have swapped a table, and left the view over the former rows
        if self._view.declared.materialized:
            with self._view.reading() as reader:
                reached = reader.position
            if reached < position:
                self._view.refresh()

    def _in_index(self) -> Self:
        raise InvalidQuery(f"search: the view {self._view.name!r} is not in a search index")

    def _ordered(self) -> Selection:
        """In an order that leaves nothing open, as far as it is declared what tells rows apart."""
        order = self._selection.order
        rest = [each for each in self._view.declared.unique if all(each != other.field for other in order)]
        return self._selection.__class__(
            self._selection.conditions,
            self._selection.expressions,
            (*order, *[Order(each) for each in rest]),
            self._selection.limit,
            self._selection.after,
        )

    def page(self, **options: Any) -> Any:
        """One page of rows. See `ModelQuery.page`.

        Raises:
            InvalidQuery: it is not declared what tells rows apart.
        """
        if not self._view.declared.unique:
            raise InvalidQuery(f"page: say what tells the rows of {self._view.name!r} apart, with unique= or model=")
        return super().page(**options)

    def _with(self, **changes: Any) -> Self:
        selection = self._selection
        merged = {name: changes.get(name, getattr(selection, name)) for name in selection.__struct_fields__}
        return type(self)(self._engine, self._view, Selection(**merged), since=self._since)
