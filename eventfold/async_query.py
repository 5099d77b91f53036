"""Queries over a read model for asyncio: built up as in `ModelQuery`, and awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar

from sqlalchemy import Table

from eventfold.async_search import AsyncSearchQuery
from projections import GroupedQuery, Measure, ModelQuery, OpenIndex, Page
from projections.model import Model
from projections.stale import WAIT_SECONDS, StaleOption

M = TypeVar("M")


class AsyncModelQuery(Generic[M]):
    """`ModelQuery` for asyncio: building it is the same, reading is awaited."""

    def __init__(self, make: Callable[[], ModelQuery[M]]) -> None:
        self._make = make

    @property
    def model(self) -> Model:
        """What a row looks like. See `ModelQuery.model`; opens the log on first use."""
        return self._query().model

    @property
    def table(self) -> Table:
        """The SQLAlchemy table over the live rows. See `ModelQuery.table`; opens the log on first use."""
        return self._query().table

    @property
    def index(self) -> OpenIndex:
        """The official client and the index's name. See `ModelQuery.index`; opens the log on first use."""
        return self._query().index

    def search(
        self, text: str, *, fields: Sequence[str] = (), fuzziness: int | Literal["auto"] = 0, highlight: bool = False
    ) -> AsyncSearchQuery[M]:
        """Searches for words. See `ModelQuery.search`."""
        return AsyncSearchQuery(
            lambda: self._query().search(text, fields=fields, fuzziness=fuzziness, highlight=highlight)
        )

    def where(self, *expressions: Any, **conditions: Any) -> Self:
        """Only rows for which all of this holds. See `ModelQuery.where`."""
        return type(self)(lambda: self._make().where(*expressions, **conditions))

    def order_by(self, *fields: str) -> Self:
        """Sorts by these fields. See `ModelQuery.order_by`."""
        return type(self)(lambda: self._make().order_by(*fields))

    def limit(self, count: int) -> Self:
        """At most so many rows."""
        return type(self)(lambda: self._make().limit(count))

    def as_of(
        self,
        *,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
        stream: str | None = None,
        version: int | None = None,
    ) -> Self:
        """The read model as it was at a moment. See `ModelQuery.as_of`."""
        return type(self)(
            lambda: self._make().as_of(position=position, at=at, occurred=occurred, stream=stream, version=version)
        )

    def group_by(self, *fields: str) -> "AsyncGroupedQuery":
        """Groups of rows with equal values in these fields. See `ModelQuery.group_by`."""
        return AsyncGroupedQuery(lambda: self._make().group_by(*fields))

    async def aggregate(
        self,
        *,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
        **measures: Measure,
    ) -> dict[str, Any]:
        """Measures over all rows that match. See `ModelQuery.aggregate`."""
        return await asyncio.to_thread(
            lambda: self._query().aggregate(after=after, timeout=timeout, stale=stale, **measures)
        )

    async def get(
        self, key: Any, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False
    ) -> M | None:
        """The row under a key; None where there is none."""
        return await asyncio.to_thread(lambda: self._query().get(key, after=after, timeout=timeout, stale=stale))

    async def all(
        self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False
    ) -> list[M]:
        """All rows that match, in order."""
        return await asyncio.to_thread(lambda: self._query().all(after=after, timeout=timeout, stale=stale))

    async def first(
        self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False
    ) -> M | None:
        """The first row that matches; None where none does."""
        return await asyncio.to_thread(lambda: self._query().first(after=after, timeout=timeout, stale=stale))

    async def count(
        self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: StaleOption = False
    ) -> int:
        """How many rows match."""
        return await asyncio.to_thread(lambda: self._query().count(after=after, timeout=timeout, stale=stale))

    async def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
    ) -> Page[M]:
        """One page of rows. See `ModelQuery.page`."""
        return await asyncio.to_thread(
            lambda: self._query().page(cursor=cursor, size=size, after=after, timeout=timeout, stale=stale)
        )

    async def __aiter__(self) -> AsyncIterator[M]:
        for row in await self.all():
            yield row

    def _query(self) -> ModelQuery[M]:
        query: ModelQuery[M] = self._make()
        return query


class AsyncGroupedQuery:
    """`GroupedQuery` for asyncio."""

    def __init__(self, make: Callable[[], GroupedQuery[Any]]) -> None:
        self._make = make

    async def aggregate(
        self,
        *,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
        **measures: Measure,
    ) -> list[dict[str, Any]]:
        """For each group its fields and its measures. See `GroupedQuery.aggregate`."""
        return await asyncio.to_thread(
            lambda: self._make().aggregate(after=after, timeout=timeout, stale=stale, **measures)
        )
