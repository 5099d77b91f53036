"""Every command that names targets, where a table and what is no table have one name."""

from tests.eventfold.cli import namesakes
from tests.eventfold.cli.conftest import Cli


def test_they_are_told_apart(filled: Cli) -> None:
    filled.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.namesakes:app"
    both = ["orders", "CustomTarget:orders"]

    assert filled.json("projections", "list")[0]["targets"] == both
    assert filled.json("check")["projections"][0]["targets"] == both
    assert [each["target"] for each in filled.json("projections", "rebuild", "orders")] == both
    assert [(each["target"], each["state"]) for each in filled.json("projections", "status")] == [
        (each, "live") for each in both
    ]
    namesakes.app.close()
