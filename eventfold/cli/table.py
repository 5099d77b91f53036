"""Tables for people: nothing is cut off, and names and numbers stay on one line where the terminal is wide enough."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from eventfold.cli.below import Below

Row = Mapping[str, Any]
_GAP = 2
_FOLDED = 12
"""What a column that may go on in the next line should have at least."""


_BESIDE = 30
"""What a column that may stand below its row should have at least, to stand beside the others."""
_WORD = 80
"""The longest word that stays on one line even where that is longer than the terminal's."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        field: the row's field.
        heading: what stands above it; by default the field's name.
        right: whether it is a number, to be aligned.
        whole: whether its text stays on one line where there is room.
        style: of the text.
        below: whether its text has a line of its own below each row, where there is too little room beside the others.
        needed: whether a row gives reason to show the column; one that no row needs is left out.
    """

    field: str
    heading: str | None = None
    right: bool = False
    whole: bool = False
    style: str | None = None
    below: bool = False
    needed: Callable[[Row], bool] | None = None

    @property
    def title(self) -> str:
        """What stands above it."""
        return self.field if self.heading is None else self.heading


def number(field: str, heading: str | None = None) -> Column:
    """A column of numbers."""
    return Column(field, heading, right=True, whole=True)


def word(field: str, heading: str | None = None, style: str | None = None) -> Column:
    """A column of names, instants, and other short texts."""
    return Column(field, heading, whole=True, style=style)


def table_of(rows: Sequence[Row], columns: Sequence[Column], width: int) -> RenderableType:
    """A table that shows every value whole: what is too long goes on in the next line.

    Args:
        rows: each with the columns' fields.
        columns: from left to right.
        width: of the terminal, in characters.
    """
    shown = [each for each in columns if each.needed is None or any(each.needed(row) for row in rows)]
    cells = [[cell(row.get(each.field)) for each in shown] for row in rows]
    if shown and shown[-1].below and _is_crowded(shown, cells, width):
        return Below(_table(shown[:-1], [line[:-1] for line in cells], width), [line[-1] for line in cells])
    return _table(shown, cells, width)


def _table(shown: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    room = _has_room(shown, cells, width)
    for each in shown:
        justify: Literal["left", "right"] = "right" if each.right else "left"
        table.add_column(each.title, justify=justify, no_wrap=each.whole and room, overflow="fold", style=each.style)
    for line in cells:
        table.add_row(*line)
    return table


def grid_of(record: Row) -> Table:
    """A record, a line for each field."""
    grid = Table.grid(padding=(0, _GAP))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in record.items():
        grid.add_row(key, _in_record(value))
    return grid


def width_of(record: Row) -> int:
    """The width in which `grid_of` breaks no digest or URL of a line's length in two, so that it can be copied."""
    words = (word for value in record.values() for word in _in_record(value).plain.split())
    longest = max((len(each) for each in words if len(each) <= _WORD), default=0)
    return max(map(len, record), default=0) + _GAP + longest


def _in_record(value: Any) -> Text:
    """A value as in a cell; no heading says that an instant is in UTC."""
    known = isinstance(value, datetime) and value.tzinfo is not None
    return Text(f"{plain(value)} UTC") if known else cell(value)


def cell(value: Any) -> Text:
    """A value as a person reads it; a text that is coloured already as it is."""
    return value if isinstance(value, Text) else Text(plain(value))


def plain(value: Any) -> str:
    """A value as text: instants in UTC, nested values as `name=value`, nothing as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if value.tzinfo else value.isoformat(" ")
    made = builtin(value)
    if isinstance(made, dict):
        return " ".join(f"{key}={_json(each)}" for key, each in made.items()) or "-"
    if isinstance(made, list) and all(isinstance(each, str) for each in made):
        return ", ".join(made) or "-"
    return made if isinstance(made, str) else _json(made)


def builtin(value: Any) -> Any:
    """A value as JSON has it: Structs as objects, instants as ISO text, and by its `repr` what JSON cannot hold."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=repr)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _has_room(columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> bool:
    """Whether the whole columns fit on a line, and leave something for the others."""
    return _taken(columns, cells, _FOLDED) <= width


def _is_crowded(columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> bool:
    """Whether there is too little room for the last column, and enough for each row of the others in one line."""
    others = [line[:-1] for line in cells]
    return _taken(columns, cells, _BESIDE) > width >= _taken(columns[:-1], others, width)


def _taken(columns: Sequence[Column], cells: Sequence[Sequence[Text]], folded: int) -> int:
    """The width that the columns take, if those that may be folded take at most so much."""
    taken = 0
    for index, each in enumerate(columns):
        longest = max((line[index].cell_len for line in cells), default=0)
        needs = max(longest, len(each.title))
        taken += _GAP + (needs if each.whole else min(needs, folded))
    return taken - _GAP
