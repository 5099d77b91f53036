"""Queries over a read model: typed, checked against the model, with read-your-writes."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar

from msgspec.structs import replace
from sqlalchemy import Table

from projections.condition import comparable, condition_of, field_of
from projections.cursor import cursor_of, read_cursor
from projections.engine import Engine
from projections.errors import InvalidQuery
from projections.grouped_query import GroupedQuery
from projections.measure import Measure, check_groups, check_measures
from projections.model import Model
from projections.moment import Moment, moment_in
from projections.page import Page, check_page_size
from projections.search import OpenIndex, Text, check_text
from projections.search_query import SearchQuery
from projections.selection import Order, Selection
from projections.stale import WAIT_SECONDS, StaleOption
from projections.track import Track
from projections.visibility import past_reader, read_live

M = TypeVar("M")
T = TypeVar("T")


class ModelQuery(Generic[M]):
    """A query that is built up step by step; every step returns a new one.

        app.query(Balance).where(amount__gte=100).order_by("-amount").limit(10).all(after=receipt.token)

    Every method that reads takes `after`, the token of a receipt: it then waits until the read model contains that write,
    for up to `timeout` seconds, and raises `NotYetVisible` when that is over, or answers with what there is if `stale`. Where
    `stale` is a function, it is called with a `Stale` in that case. A projection that is paused, or could not take that write,
    says so with `ProjectionPaused` or `EventParked`.

    Args:
        engine: of the application.
        track: the read model.
        selection: what was chosen so far.
        moment: in the past; None for the live rows.
        since: tells the token that is meant where a method is given none.
    """

    def __init__(
        self,
        engine: Engine,
        track: Track,
        selection: Selection | None = None,
        *,
        moment: Moment | None = None,
        since: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._track = track
        self._model: Model = track.projection.model
        self._selection = selection if selection is not None else Selection()
        self._moment = moment
        self._since = since

    @property
    def engine(self) -> Engine:
        """What keeps the read models."""
        return self._engine

    @property
    def model(self) -> Model:
        """What a row looks like."""
        return self._model

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

    @property
    def index(self) -> OpenIndex:
        """The official client, and the name of the alias over the live rows, for any search that this class does not offer.

        Raises:
            InvalidQuery: the rows are not in a search index.
        """
        target: Any = self._in_index()._track.target  # noqa: SLF001 - our own
        return OpenIndex(target.client, target.index)

    def search(
        self,
        text: str,
        *,
        fields: Sequence[str] = (),
        fuzziness: int | Literal["auto"] = 0,
        highlight: bool = False,
    ) -> SearchQuery[M]:
        """Searches for words, among the rows that match so far: in the model's search index, whatever its other targets are.

        Args:
            text: words; the more of them a row has, the better it fits.
            fields: in which fields, each with a weight where it counts more, as in "name^2"; all that hold text by default.
            fuzziness: how many letters of a word may differ: 0, 1, 2, or "auto" for more in longer words.
            highlight: whether to show where it was found.

        Raises:
            InvalidQuery: the rows are not in a search index, or the fuzziness is not one.
        """
        return SearchQuery(self._in_index(), check_text(Text(text, tuple(fields), fuzziness, highlight)))

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

    def as_of(
        self,
        *,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
        stream: str | None = None,
        version: int | None = None,
    ) -> Self:
        """The read model as it was at a moment. Several bounds hold together.

        `get` folds only the events that touch its row: those of the streams with that id, or with that tag under `by_tag`; under
        another `key=` all that the projection wants. The other methods fold the whole model into memory, where the last few
        are kept. Rows that a projection of today would have made then: its code of that time plays no part.

        Args:
            position: up to this position of the log.
            at: what the log knew at this instant.
            occurred: what had occurred by this instant, as known now, or at `at`.
            stream: with `version`: up to where this stream had that version.
            version: of `stream`.

        Raises:
            InvalidInput: a bound is not acceptable.
            NotFound: the stream has no such version.
        """
        moment = moment_in(
            self._engine.store, position=position, at=at, occurred=occurred, stream=stream, version=version
        )
        return type(self)(self._engine, self._track, self._selection, moment=moment, since=self._since)

    def group_by(self, *fields: str) -> "GroupedQuery[M]":
        """Groups of rows with equal values in these fields, for `aggregate`.

        Raises:
            InvalidQuery: the model has no such field, or its values cannot be compared.
        """
        return GroupedQuery(self, check_groups(self._model, fields))

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(
        self, key: Any, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False
    ) -> M | None:
        """The row under a key; None where there is none."""
        selection = self.where(**{self._model.key.name: key})._selection  # noqa: SLF001 - our own
        rows: list[M] = self.read(
            lambda reader: reader.select(selection), after=after, timeout=timeout, stale=stale, only=key
        )
        return rows[0] if rows else None

    def all(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False) -> list[M]:
        """All rows that match, in order."""
        selection = self._ordered()
        return self.read(lambda reader: reader.select(selection), after=after, timeout=timeout, stale=stale)

    def first(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False) -> M | None:
        """The first row that matches; None where none does."""
        rows = self.limit(1).all(after=after, timeout=timeout, stale=stale)
        return rows[0] if rows else None

    def count(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False) -> int:
        """How many rows match; limit and order play no part."""
        found: int = self.read(lambda reader: reader.count(self._selection), after=after, timeout=timeout, stale=stale)
        return found

    def aggregate(
        self,
        *,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
        **measures: Measure,
    ) -> dict[str, Any]:
        """Measures over all rows that match, by name; limit and order play no part.

            app.query(Order).where(paid=True).aggregate(cents=sum_of("cents"), orders=count_of())

        Raises:
            InvalidQuery: a measure does not fit the model.
        """
        checked = check_measures(self._model, measures)
        found: list[dict[str, Any]] = self.read(
            lambda reader: reader.aggregate(self._selection, (), checked), after=after, timeout=timeout, stale=stale
        )
        return found[0]

    def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
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
        size = check_page_size(self._selection.limit, size)
        selection = replace(self._ordered(), limit=size + 1)
        if cursor is not None:
            selection = replace(selection, after=read_cursor(cursor, self._model, selection.order))
        rows: list[M] = self.read(lambda reader: reader.select(selection), after=after, timeout=timeout, stale=stale)
        if len(rows) <= size:
            return Page(rows, None)
        return Page(rows[:size], cursor_of(rows[size - 1], selection.order))

    def __iter__(self) -> Iterator[M]:
        return iter(self.all())

    def read(
        self, read: Callable[[Any], T], *, after: str | None, timeout: float, stale: StaleOption, only: Any = None
    ) -> T:
        """What a reader gives: of the rows once they contain a write, or as they were at the query's moment.

        Args:
            read: what to do with the reader.
            after: the token of the write.
            timeout: how many seconds to wait for it.
            stale: whether an answer without it will do.
            only: the key of the one row that is wanted, where it is one.
        """
        if self._moment is not None:
            if after is not None:
                raise InvalidQuery("as_of: a moment in the past does not wait for a write; leave out after=")
            return read(past_reader(self._engine, self._track, self._moment, only))
        token = after if after is not None else self._since()
        return read_live(self._engine, self._track, token, read, seconds=timeout, stale=stale, key=only)

    @property
    def track(self) -> Track:
        """The projection in the target that is asked."""
        return self._track

    @property
    def selection(self) -> Selection:
        """What was asked for so far."""
        return self._selection

    def _in_index(self) -> Self:
        """The same query of the first target that is a search index."""
        if self._moment is not None:
            raise InvalidQuery("search: a moment in the past is not indexed; leave out as_of")
        name = self._track.projection.name
        found = next((each for each in self._engine.find(name) if hasattr(each.target, "index")), None)
        if found is None:
            raise InvalidQuery(
                f"{self._model.cls.__name__} is not kept in a search index; add one, as in {name}.into(..., "
                f"ElasticsearchIndex({name!r}))"
            )
        return type(self)(self._engine, found, self._selection, since=self._since)

    def _ordered(self) -> Selection:
        key = self._model.key.name
        order = self._selection.order
        if all(each.field != key for each in order):
            order = (*order, Order(key))
        return replace(self._selection, order=order)

    def _with(self, **changes: Any) -> Self:
        selection = replace(self._selection, **changes)
        return type(self)(self._engine, self._track, selection, moment=self._moment, since=self._since)
