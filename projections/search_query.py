"""A full-text search that is built up step by step, as `ModelQuery` is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from msgspec.structs import replace

from projections.page import PAGE_SIZE, Page, check_page_size
from projections.search import Hit, Text, cursor_after, read_search_cursor

if TYPE_CHECKING:
    from projections.query import ModelQuery
    from projections.track import Track

M = TypeVar("M")

WAIT_SECONDS = 5.0


class SearchQuery(Generic[M]):
    """What `app.query(Model).search("text")` gives: the best hits first, of equal ones the lowest key.

    Every method that reads takes `after`, `timeout` and `stale`, as those of `ModelQuery` do.
    """

    def __init__(self, query: "ModelQuery[M]", text: Text) -> None:
        self._query = query
        self._text = text

    @property
    def track(self) -> "Track":
        """The projection in the index that is searched."""
        return self._query.track

    def where(self, **conditions: Any) -> Self:
        """Only rows for which all of this holds. See `ModelQuery.where`."""
        return type(self)(self._query.where(**conditions), self._text)

    def limit(self, count: int) -> Self:
        """At most so many hits."""
        return type(self)(self._query.limit(count), self._text)

    def all(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> list[Hit[M]]:
        """The hits, the best first; without a limit the 50 best, since most rows fit a little."""
        limit = self._query.selection.limit
        return self._hits(self._text, PAGE_SIZE if limit is None else limit, after, timeout, stale=stale)

    def first(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> Hit[M] | None:
        """The best hit; None where there is none."""
        hits = self._hits(self._text, 1, after, timeout, stale=stale)
        return hits[0] if hits else None

    def count(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> int:
        """How many rows fit."""
        selection, text = self._query.selection, self._text
        found: int = self._query.read(
            lambda reader: reader.count_hits(selection, text), after=after, timeout=timeout, stale=stale
        )
        return found

    def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: bool = False,
    ) -> Page[Hit[M]]:
        """One page of hits. See `ModelQuery.page`.

        Raises:
            InvalidQuery: the cursor is not one of a search, or the size is said twice or out of bounds.
        """
        size = check_page_size(self._query.selection.limit, size)
        text = self._text if cursor is None else replace(self._text, after=read_search_cursor(cursor))
        hits = self._hits(text, size + 1, after, timeout, stale=stale)
        if len(hits) <= size:
            return Page(hits, None)
        return Page(hits[:size], cursor_after(hits[size - 1].place))

    def __iter__(self) -> Iterator[Hit[M]]:
        return iter(self.all())

    def _hits(self, text: Text, limit: int, after: str | None, timeout: float, *, stale: bool) -> list[Hit[M]]:
        selection = replace(self._query.selection, limit=limit)
        found: list[Hit[M]] = self._query.read(
            lambda reader: reader.search(selection, text), after=after, timeout=timeout, stale=stale
        )
        return found
