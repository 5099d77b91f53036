"""Prints data: lists of rows and single records, as a table for people or as json, jsonl or csv for programs.

Data goes to stdout, everything else to stderr. A row is a dict; only a table leaves fields out, those without a column.
"""

import csv
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

from eventfold.cli.table import Column, Row, builtin, grid_of, table_of, width_of

_PIPED_WIDTH = 1_000
"""A table that another program reads has one line for each row, so that `grep` finds whole rows."""


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def console() -> Console:
    """Where data goes."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(file=sys.stdout, highlight=False, width=None if known else _PIPED_WIDTH)


def error_console() -> Console:
    """Where everything else goes."""
    return Console(file=sys.stderr, highlight=False)


def put(what: RenderableType, width: int = 0) -> None:
    """Prints something on stdout, without blanks at the ends of lines.

    Args:
        what: as for Rich.
        width: of the lines, in characters, where that is more than the terminal's.
    """
    out = console()
    lines = out.render_lines(what, out.options.update(width=max(width, out.width)), pad=False)
    for line in lines:
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
        out.print(Segments([*line, Segment.line()]), end="", crop=False)


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
            return _print_table(list(rows), columns, empty)
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
        tables: the fields that are lists of rows, or one row, with their columns.
    """
    match form:
        case Format.TABLE:
            _print_record(record, tables or {})
        case Format.CSV:
            _write_csv([record], list(record))
        case Format.JSONL:
            _write_lines([record])
        case Format.JSON:
            print(_json(record, pretty=True))  # noqa: T201 - data goes to stdout undecorated


def _print_table(rows: Sequence[Row], columns: Sequence[Column], empty: str) -> int:
    if rows:
        put(table_of(rows, columns, console().width))
    else:
        error_console().print(empty, markup=False)
    return len(rows)


def _print_record(record: Row, tables: Mapping[str, Sequence[Column]]) -> None:
    fields = {key: value for key, value in record.items() if key not in tables}
    put(grid_of(fields), width_of(fields))
    for key, columns in tables.items():
        if found := record.get(key):
            console().print(f"\n[bold]{key.replace('_', ' ')}[/bold]")
            put(table_of([found] if isinstance(found, dict) else found, columns, console().width))


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
    return made if isinstance(made, str) else _json(made)
