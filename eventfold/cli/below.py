"""A table in which the longest text of each row has a line of its own below it."""

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_HEADING = 2
"""Lines above the first row: the titles, and a rule."""
_INDENT = 5


class Below:
    """What Rich prints.

    Args:
        table: of which every row takes one line.
        texts: one for each row.
    """

    def __init__(self, table: Table, texts: Sequence[Text]) -> None:
        self._table = table
        self._texts = texts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = iter(console.render_lines(self._table, options, pad=False))
        yield from _printed(islice(lines, _HEADING))
        for text in self._texts:
            yield from _printed(islice(lines, 1))
            yield Padding(text, (0, 0, 0, _INDENT), expand=False)


def _printed(lines: Iterator[list[Segment]]) -> Iterator[Segment]:
    for line in lines:
        yield from line
        yield Segment.line()
