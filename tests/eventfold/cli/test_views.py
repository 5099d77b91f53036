"""`eventfold views`, and queries over views."""

import sqlite3

from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli


def test_views_are_listed_refreshed_and_queried(filled: Cli) -> None:
    assert [(each["view"], each["state"]) for each in filled.json("views", "list")] == [
        ("spending", "waiting"),
        ("spent", "waiting"),
    ]
    filled("query", "Order", "--fresh", "--count", code=1)
    filled("query", "OrderRow", "--fresh")

    (refreshed,) = filled.json("views", "refresh", "spent")

    assert (refreshed["view"], refreshed["done"]) == ("spent", "refreshed")
    assert filled.json("query", "spent") == [{"owner": "Ada", "cents": 400}, {"owner": "Bob", "cents": 100}]
    assert filled.json("query", "Spending", "--where", "cents>100") == [{"owner": "Ada", "cents": 400}]
    assert [each["state"] for each in filled.json("views", "list")] == ["live", "live"]
    assert "spending" in filled("views", "list").stdout
    assert filled.json("views", "refresh", "--all")[0]["done"] == "nothing to refresh"
    assert [each["view"] for each in filled.json("check")["views"]] == ["spending", "spent"]


def test_wrong_use_says_what_is_right(filled: Cli) -> None:
    assert "name one view, or give --all" in filled("views", "refresh", code=2).output
    assert (
        "no reporting view is called 'other' (there are: spending, spent)"
        in filled("views", "refresh", "other", code=1).output
    )
    assert "has no past" in filled("query", "spending", "--position", "3", code=1).output


def test_other_programs_read_them(filled: Cli) -> None:
    shop.app.parts.use_database(filled.database)
    shop.app.catch_up()
    shop.app.close()
    with sqlite3.connect(filled.database.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT sum(cents) FROM spending").fetchone() == (500,)
    connection.close()
