"""Prints data: lists of rows and single records, as a table for people or as json, jsonl or csv for programs.

Data goes to stdout, everything else to stderr. A row is a dict; only a table leaves fields out, those without a column.
"""

import csv
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        field: the row's field.
        heading: what stands above it; by default the field's name.
        right: whether it is a number, to be aligned.
        whole: whether its text must stay on one line.
        style: of the text.
    """

    field: str
    heading: str | None = None
    right: bool = False
    whole: bool = False
    style: str | None = None


def number(field: str, heading: str | None = None) -> Column:
    """A column of numbers."""
    return Column(field, heading, right=True, whole=True)


def console() -> Console:
    """Where data goes."""
    return Console(file=sys.stdout, highlight=False)


def error_console() -> Console:
    """Where everything else goes."""
    return Console(file=sys.stderr, highlight=False)


def show_rows(rows: Iterable[Row], columns: Sequence[Column], form: Format, *, empty: str = "nothing to show") -> int:
    """Prints rows, and returns how many they were. All formats but the table are written as the rows come.

    Args:
        rows: each a dict with the same fields.
        columns: those of the table.
        form: the format.
        empty: what to say on stderr in place of a table without rows.
    """
    match form:
        case Format.TABLE:
            found = list(rows)
            if found:
                console().print(table_of(found, columns))
            else:
                error_console().print(empty, markup=False)
            return len(found)
        case Format.CSV:
            return _write_csv(rows, [each.field for each in columns])
        case Format.JSONL:
            return _write_lines(rows)
        case Format.JSON:
            return _write_array(rows)


def show_record(record: Row, form: Format, tables: Mapping[str, Sequence[Column]] | None = None) -> None:
    """Prints one record: a line for each field, or an object.

    Args:
        record: its fields.
        form: the format.
        tables: the fields that are lists of rows, with their columns.
    """
    tables = tables or {}
    match form:
        case Format.TABLE:
            _print_record(record, tables)
        case Format.CSV:
            _write_csv([record], list(record))
        case Format.JSONL:
            _write_lines([record])
        case Format.JSON:
            print(_json(record, pretty=True))  # noqa: T201 - data goes to stdout undecorated


def table_of(rows: Iterable[Row], columns: Sequence[Column], title: str | None = None) -> Table:
    """A table that shows every value whole: what is too long goes on in the next line."""
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False, show_edge=False
    )
    for each in columns:
        heading = each.heading if each.heading is not None else each.field
        justify: Literal["left", "right"] = "right" if each.right else "left"
        table.add_column(heading, justify=justify, no_wrap=each.whole, overflow="fold", style=each.style)
    for row in rows:
        table.add_row(*[cell(row.get(each.field)) for each in columns])
    return table


def cell(value: Any) -> Text:
    """A value as a person reads it."""
    if isinstance(value, Text):
        return value
    return Text(plain(value))


def plain(value: Any) -> str:
    """A value as text: instants in UTC, nested values as `name=value`."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if value.tzinfo else value.isoformat(" ")
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_inner(each)}" for key, each in value.items()) or "-"
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "-"
    return _inner(value)


def builtin(value: Any) -> Any:
    """A value as JSON has it: Structs as objects, instants as ISO text."""
    return msgspec.to_builtins(value, str_keys=True)


def _inner(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _print_record(record: Row, tables: Mapping[str, Sequence[Column]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in record.items():
        if key not in tables:
            grid.add_row(key, cell(value))
    console().print(grid)
    for key, columns in tables.items():
        if record.get(key):
            console().print(table_of(record[key], columns, title=f"\n{key.replace('_', ' ')}"))


def _json(value: Any, *, pretty: bool = False) -> str:
    text = msgspec.json.encode(builtin(value))
    return (msgspec.json.format(text, indent=2) if pretty else text).decode()


def _write_lines(rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        print(_json(row), flush=True)  # noqa: T201 - data goes to stdout undecorated
        count += 1
    return count


def _write_array(rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        print("," if count else "[", _json(row), sep="\n", end="")  # noqa: T201 - the same
        count += 1
    print("\n]" if count else "[]")  # noqa: T201 - the same
    return count


def _write_csv(rows: Iterable[Row], fields: Sequence[str]) -> int:
    found = iter(rows)
    first = next(found, None)
    header = list(first) if first is not None else list(fields)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for row in _with(first, found):
        writer.writerow([_csv_value(row[key]) for key in header])
        sys.stdout.flush()
        count += 1
    return count


def _with(first: Row | None, rest: Iterator[Row]) -> Iterable[Row]:
    return rest if first is None else itertools.chain([first], rest)


def _csv_value(value: Any) -> str:
    made = builtin(value)
    if made is None:
        return ""
    return made if isinstance(made, str) else _inner(made)
