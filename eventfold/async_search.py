"""A full-text search for asyncio: built up as in `SearchQuery`, and awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Self, TypeVar

from projections import Hit, Page, SearchQuery
from projections.stale import WAIT_SECONDS

M = TypeVar("M")


class AsyncSearchQuery(Generic[M]):
    """`SearchQuery` for asyncio: building it is the same, reading is awaited."""

    def __init__(self, make: Callable[[], SearchQuery[M]]) -> None:
        self._make = make

    def where(self, **conditions: Any) -> Self:
        """Only rows for which all of this holds. See `ModelQuery.where`."""
        return type(self)(lambda: self._make().where(**conditions))

    def limit(self, count: int) -> Self:
        """At most so many hits."""
        return type(self)(lambda: self._make().limit(count))

    async def all(
        self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False
    ) -> list[Hit[M]]:
        """The hits, the best first. See `SearchQuery.all`."""
        return await asyncio.to_thread(lambda: self._make().all(after=after, timeout=timeout, stale=stale))

    async def first(
        self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False
    ) -> Hit[M] | None:
        """The best hit; None where there is none."""
        return await asyncio.to_thread(lambda: self._make().first(after=after, timeout=timeout, stale=stale))

    async def count(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> int:
        """How many rows fit."""
        return await asyncio.to_thread(lambda: self._make().count(after=after, timeout=timeout, stale=stale))

    async def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: bool = False,
    ) -> Page[Hit[M]]:
        """One page of hits. See `SearchQuery.page`."""
        return await asyncio.to_thread(
            lambda: self._make().page(cursor=cursor, size=size, after=after, timeout=timeout, stale=stale)
        )

    async def __aiter__(self) -> AsyncIterator[Hit[M]]:
        for hit in await self.all():
            yield hit
