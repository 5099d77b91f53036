"""Tables: names stay on one line where there is room, and nothing is ever cut off."""

import io
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from eventfold.cli.projections import LIST_COLUMNS, STATUS_COLUMNS
from eventfold.cli.table import Column, Row, number, plain, table_of, word
from tests.eventfold.cli.conftest import Cli

STATUS: Row = {
    "projection": "monthly_revenue_by_country",
    "target": "monthly_revenue_by_country",
    "state": "rebuilding",
    "generation": 12,
    "position": 1_078_226,
    "lag": 69_659,
    "events": 1_069_659,
    "rebuilding_position": 8_567,
    "error": None,
    "seconds_behind": 61.5,
    "rate": 12_345.6,
    "parked": 0,
    "consistency": "async",
}


def printed(rows: list[Row], columns: tuple[Column, ...], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of(rows, columns, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_status_of_a_projection_with_a_long_name_stands_on_one_line_of_80_columns() -> None:
    lines = printed([STATUS], STATUS_COLUMNS)

    assert lines[2] == "monthly_revenue_by_country  rebuilding   12   1078226  69659  61.5  12345.6"


def test_what_json_cannot_hold_is_shown_by_its_repr() -> None:
    assert plain({"z": 1j}) == 'z="1j"'


def test_the_target_is_shown_where_it_is_called_otherwise() -> None:
    lines = printed([{**STATUS, "projection": "months", "target": "revenue"}], STATUS_COLUMNS)

    assert lines[2].startswith("months      revenue  rebuilding")


def test_an_error_is_shown_where_there_is_one() -> None:
    lines = printed([STATUS, {**STATUS, "error": "no such column"}], STATUS_COLUMNS, 120)

    assert lines[0].endswith("error")
    assert lines[3].endswith("no such column")


def test_targets_are_listed_where_they_say_something() -> None:
    row = {"projection": "months", "version": 1, "model": "Month", "key": "month", "events": ["Sold"]}
    row |= {"consistency": "async", "reads": []}

    assert "targets" not in printed([{**row, "targets": ["months"]}], LIST_COLUMNS)[0]
    assert "months, months_view" in printed([{**row, "targets": ["months", "months_view"]}], LIST_COLUMNS)[2]


@pytest.mark.parametrize("width", [20, 30, 40, 60])
def test_where_a_line_is_too_short_for_names_they_go_on_in_the_next_and_nothing_is_lost(width: int) -> None:
    row = {"stream": "account-019ad5c2-3e5f-7c1a-8b3e-0a4f5b6c7d8e", "version": 7, "data": "x" * 50}

    lines = printed([row], (word("stream"), number("version", "v"), Column("data")), width)

    assert max(map(len, lines)) <= width
    text = "".join(lines)
    assert text.count("x") == 50
    assert sum(text.count(digit) for digit in "0123456789") == sum(each.isdigit() for each in row["stream"]) + 1  # type: ignore[attr-defined]  # a row holds anything


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (date(1997, 1, 29), "1997-01-29"),
        (datetime(1997, 1, 29, 14, 30, tzinfo=UTC), "1997-01-29 14:30:00"),
        ({"amount": 5, "owner": "Ada"}, 'amount=5 owner="Ada"'),
        (["a", "b"], "a, b"),
        ([], "-"),
        ("", "-"),
        ([1, 2], "[1,2]"),
        (True, "true"),
    ],
)
def test_values_are_written_as_a_person_reads_them(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(("variable", "coloured"), [("FORCE_COLOR", True), ("NO_COLOR", False), ("TERM", False)])
def test_colours_are_for_terminals_unless_one_asks_otherwise(filled: Cli, variable: str, *, coloured: bool) -> None:
    process = filled.start("events", "list", **{variable: "1"})
    out, _ = process.communicate(timeout=30)

    assert ("\x1b[36m" in out) is coloured


def test_how_to_go_on_is_said_after_the_rows(filled: Cli) -> None:
    said = filled("events", "list", "--limit", "2").output

    assert said.splitlines()[-1] == "there are more: go on with --after 2, or see all with --limit 0"


def test_a_table_in_a_pipe_has_one_line_for_each_row(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it in its workers
    del filled.environment["COLUMNS"]

    process = filled.start("events", "list")
    out, _ = process.communicate(timeout=30)

    assert len(out.splitlines()) == 2 + 6
    assert "\x1b" not in out


def test_no_line_ends_in_blanks_and_a_digest_stays_on_its_line(filled: Cli, tmp_path: Path) -> None:
    commands = (
        ["events", "list"],
        ["history", "Order", "o-1"],
        ["blame", "Order", "o-1"],
        ["check"],
        ["log", "copy", f"sqlite:///{tmp_path}/copy.db"],
    )
    for arguments in commands:
        shown = filled(*arguments).stdout
        assert [line for line in shown.splitlines() if line != line.rstrip()] == [], arguments
    assert re.search(r"^sha256 +[0-9a-f]{64}$", shown, re.MULTILINE)


def test_where_the_data_has_too_little_room_beside_its_row_it_stands_below(filled: Cli) -> None:
    filled.environment["COLUMNS"] = "80"
    narrow = filled("events", "list", "--limit", "2").stdout.splitlines()
    filled.environment["COLUMNS"] = "120"
    wide = filled("events", "list", "--limit", "2").stdout.splitlines()

    assert [line.split()[-1] for line in narrow[2::2]] == ["OrderOpened", "ItemAdded"]
    assert narrow[3::2] == ['     owner="Ada"', '     item={"name":"tea","cents":300}']
    assert [line.split()[-1] for line in wide[2:]] == ['owner="Ada"', 'item={"name":"tea","cents":300}']
