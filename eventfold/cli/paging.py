"""Long lists end at a limit, and say how to go on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

import typer

from eventfold.cli.output import Format, show_rows
from eventfold.cli.session import warn
from eventfold.cli.table import Column, Row
from eventstore.reading import PAGE

LimitOption = Annotated[int, typer.Option("--limit", metavar="NUMBER", min=0, help="At most so many; 0 for all.")]


def with_one_more(limit: int) -> int | None:
    """How many rows to read, so that it is seen whether there are more than the limit; None for all."""
    return limit + 1 if limit else None


def page_size(limit: int) -> int:
    """How many events to fetch at once where reading ends as soon as it is seen that there are more than the limit."""
    return min(limit + 1, PAGE) if limit else PAGE


def show_page(
    rows: Iterable[Row],
    columns: Sequence[Column],
    form: Format,
    *,
    limit: int,
    how_to_go_on: Callable[[Row], str],
    empty: str,
) -> None:
    """Prints the first `limit` of the rows; if there are more, says after them on stderr how to see those.

    Args:
        rows: one more than the limit, where there are more.
        columns: those of a table.
        form: the format.
        limit: 0 for no limit.
        how_to_go_on: from the last row shown to the options that show those after it.
        empty: what to say where there are no rows.
    """
    left: list[str] = []

    def first_rows() -> Iterator[Row]:
        last: Row = {}
        for count, row in enumerate(rows):
            if limit and count >= limit and not _of_one_stored_event(last, row):
                left.append(how_to_go_on(last))
                return
            last = row
            yield row

    show_rows(first_rows(), columns, form, empty=empty)
    for options in left:
        warn_of_more(options)


def _of_one_stored_event(last: Row, row: Row) -> bool:
    """Whether both were upcast from the same stored event, which is never cut in two."""
    return row.get("sub_index") is not None and row.get("position") == last.get("position")


def warn_of_more(options: str) -> None:
    """Says on stderr how to see the rows after those shown."""
    warn(f"there are more: go on with {options}, or see all with --limit 0")
