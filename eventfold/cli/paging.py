"""Long lists end at a limit, and say how to go on."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar

import typer

from eventfold.cli.session import warn

R = TypeVar("R")

LimitOption = Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0 for all.")]


def shown(rows: Iterable[R], limit: int, how_to_go_on: Callable[[Any], str]) -> Iterator[R]:
    """The first `limit` of the rows; if there are more, the end says on stderr how to see them.

    Args:
        rows: one more than the limit, where there are more.
        limit: 0 for no limit.
        how_to_go_on: from the last row shown to the options that show those after it.
    """
    last: Any = None
    for count, row in enumerate(rows):
        if limit and count >= limit:
            warn(f"there are more: go on with {how_to_go_on(last)}, or see all with --limit 0")
            return
        last = row
        yield row
