"""Wrong values are refused in plain words."""

import pytest

from tests.eventfold.cli.conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["state", "Order", "o-1", "--version", "-1"], "'--version': expected 0 or more"),
        (["state", "Order", "o-1", "--version", "x"], "'--version': expected a whole number"),
        (["status", "--format", "yaml"], "'-f': 'yaml' is not one of 'table', 'json', 'jsonl', 'csv'"),
        (["state", "Order", "o-1", "--at", "x"], "--at: expected an instant such as"),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words_with_its_option(cli: Cli, arguments: list[str], message: str) -> None:
    cli.environment["COLUMNS"] = "200"

    assert message in cli(*arguments, code=2).stderr


@pytest.mark.parametrize("noun", [[], ["log"], ["snapshots"], ["schema"], ["log", "copy"], ["schema", "check"]])
def test_help_names_no_kind_of_value_that_is_the_librarys_own(cli: Cli, noun: list[str]) -> None:
    shown = cli(*noun, "--help").stdout

    assert "<bool>" not in shown
    assert "range>" not in shown
