"""One page of what a query gives."""

from typing import Generic, TypeVar

import msgspec

from projections.errors import InvalidQuery

M = TypeVar("M")

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


def check_page_size(limit: int | None, size: int | None) -> int:
    """How many rows a page has: as it is said, or else the query's limit, or 50.

    Raises:
        InvalidQuery: it is said twice, or out of bounds.
    """
    if size is not None and limit is not None:
        raise InvalidQuery(f"page: the query's limit({limit}) is the size of a page already; leave out size={size}")
    name, chosen = ("size", size) if size is not None else ("limit", PAGE_SIZE if limit is None else limit)
    if isinstance(chosen, bool) or not isinstance(chosen, int) or not 0 < chosen <= MAX_PAGE:
        raise InvalidQuery(f"page: {name}: expected an integer from 1 to {MAX_PAGE:,}, got {chosen!r}")
    return chosen
