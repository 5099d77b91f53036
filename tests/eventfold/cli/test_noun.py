"""The options that all commands share are taken before a noun, behind it, and behind the command."""

import json

import pytest
import typer

from eventfold.cli.root import app
from tests.eventfold.cli.conftest import Cli

NOUNS = [
    name
    for name, each in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]  # a group, as Typer makes it
    if hasattr(each, "commands")
]


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_takes_them_before_the_command(cli: Cli, noun: str) -> None:
    shown = cli(noun, "--help").stdout

    assert all(option in shown for option in ("--app", "--database", "--format", "--debug"))


def test_what_stands_further_right_counts(cli: Cli) -> None:
    del cli.environment["EVENTFOLD_APP"]
    named = ("--app", "tests.eventfold.cli.telling:app")

    assert json.loads(cli("outbox", *named, "--format", "json", "list").stdout) == []
    assert json.loads(cli("--format", "csv", "outbox", *named, "list", "--format", "json").stdout) == []
    assert json.loads(cli("--app", "no.such:app", "outbox", *named, "-f", "json", "list").stdout) == []


def test_a_noun_within_a_noun_takes_them_too(cli: Cli) -> None:
    assert json.loads(cli("projections", "-f", "csv", "parked", "--format", "json", "list").stdout) == []
