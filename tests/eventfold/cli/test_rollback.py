"""`eventfold projections rollback` and `prune`."""

import json

import pytest

from tests.eventfold.cli.conftest import Cli


def test_the_former_rows_come_back_until_they_are_pruned(filled: Cli) -> None:
    filled("worker", "run", "--until-caught-up")
    filled("projections", "rebuild", "orders")
    back = filled.json("projections", "rollback", "orders")
    again = filled.json("projections", "rollback", "orders")
    pruned = filled.json("projections", "prune", "--all")
    refused = filled("projections", "rollback", "orders", code=1)

    assert [back[0]["generation"], again[0]["generation"]] == [1, 2]
    assert [(each["projection"], each["dropped"]) for each in pruned] == [("orders", [1]), ("sold", [])]
    assert "there is no former generation" in refused.stderr
    assert filled.json("query", "OrderRow", "--count") == {"count": 2}


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
@pytest.mark.parametrize("verb", ["rollback", "prune"])
def test_they_speak_every_format(filled: Cli, verb: str, form: str) -> None:
    filled("projections", "rebuild", "orders")
    filled("projections", "rebuild", "orders")

    said = filled("projections", verb, "orders", "--format", form).stdout

    assert "orders" in said
    if form == "jsonl":
        assert [json.loads(line)["projection"] for line in said.splitlines()] == ["orders"]


@pytest.mark.parametrize("arguments", [(), ("orders", "--all")])
def test_prune_wants_one_projection_or_all(cli: Cli, arguments: tuple[str, ...]) -> None:
    said = cli("projections", "prune", *arguments, code=2)

    assert "name one projection, or give --all" in said.stderr
