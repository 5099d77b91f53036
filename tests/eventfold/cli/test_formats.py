"""Every command that prints data prints it in every format, undecorated and parsable."""

import csv
import io
import json
from typing import Any

import pytest

from tests.eventfold.cli.conftest import Cli

LISTS = [
    ("streams", "list"),
    ("streams", "show", "order-o-1"),
    ("events", "list"),
    ("events", "tail", "--from-start", "--count", "6"),
    ("state", "Order", "o-1", "--diff", "1..4"),
    ("history", "Order", "o-1"),
    ("blame", "Order", "o-1"),
    ("projections", "list"),
    ("projections", "status"),
    ("projections", "rebuild", "--all"),
    ("query", "OrderRow", "--fresh"),
    ("worker", "run", "--until-caught-up"),
    ("types",),
    ("schema", "check", "--against-log"),
    ("migrate", "--dry-run"),
]
RECORDS = [
    ("check",),
    ("status",),
    ("state", "Order", "o-1"),
    ("bisect", "Order", "o-1", "state.owner == 'Ada'"),
    ("query", "OrderRow", "o-1", "--fresh"),
    ("query", "OrderRow", "--count"),
    ("dispatch", "AddItem", "order_id=o-9", "name=tea"),
]


def _parsed(text: str, form: str) -> Any:
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_list_holds_the_same_rows_in_every_format(filled: Cli, arguments: tuple[str, ...]) -> None:
    lines = _parsed(filled(*arguments, "--format", "jsonl").stdout, "jsonl")
    table = _parsed(filled(*arguments, "--format", "csv").stdout, "csv")
    shown = filled(*arguments, "--format", "json").stdout
    array = lines if arguments[:2] == ("events", "tail") else json.loads(shown)
    assert len(array) == len(lines) == len(table)
    assert [list(each) for each in array] == [list(each) for each in lines] == [list(each) for each in table]
    assert array or arguments[0] == "migrate"


@pytest.mark.parametrize("arguments", RECORDS, ids=" ".join)
def test_a_record_has_the_same_fields_in_every_format(filled: Cli, arguments: tuple[str, ...]) -> None:
    record = json.loads(filled(*arguments, "--format", "json").stdout)
    (line,) = _parsed(filled(*arguments, "--format", "jsonl").stdout, "jsonl")
    (row,) = _parsed(filled(*arguments, "--format", "csv").stdout, "csv")
    assert list(record) == list(line) == list(row)


@pytest.mark.parametrize("arguments", [*LISTS, *RECORDS], ids=" ".join)
def test_a_table_fits_80_columns_and_cuts_nothing_off(filled: Cli, arguments: tuple[str, ...]) -> None:
    shown = filled(*arguments)
    live = arguments[:2] == ("events", "tail")
    assert live or max(map(len, shown.stdout.splitlines()), default=0) <= 80
    assert "…" not in shown.stdout


def test_instants_are_iso_in_what_programs_read(filled: Cli) -> None:
    event = json.loads(filled("events", "list", "--format", "jsonl").stdout.splitlines()[0])
    assert event["occurred_at"] == "1997-01-01T00:00:00Z"
    assert event["recorded_at"].endswith("Z")
    rows = _parsed(filled("events", "list", "--format", "csv").stdout, "csv")
    assert rows[0]["occurred_at"] == "1997-01-01T00:00:00Z"


def test_nested_values_are_json_within_csv(filled: Cli) -> None:
    rows = _parsed(filled("events", "list", "--format", "csv").stdout, "csv")
    assert json.loads(rows[3]["data"]) == {"address": {"city": "Bath", "street": None}}


def test_an_empty_list_is_an_empty_list_in_every_format(cli: Cli) -> None:
    assert json.loads(cli("streams", "list", "--format", "json").stdout) == []
    assert cli("streams", "list", "--format", "jsonl").stdout == ""
    assert cli("streams", "list", "--format", "csv").stdout.splitlines() == [
        "stream,version,first_recorded_at,last_recorded_at,last_position"
    ]
    shown = cli("streams", "list")
    assert (shown.stdout, shown.stderr) == ("", "no streams\n")


def test_an_unknown_format_is_wrong_usage(cli: Cli) -> None:
    assert "yaml" in cli("streams", "list", "--format", "yaml", code=2).stderr
