"""Reactions on the command line."""

from collections.abc import Iterator

import pytest

from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.mailing import Mood, Ordered, app


@pytest.fixture
def mailing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line where two events of a key are parked."""
    monkeypatch.setattr(Mood, "broken", True)
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.mailing:app"
    app.parts.use_database(cli.database)
    app.store.append("order-1", [Ordered("tea"), Ordered("rum"), Ordered("milk")])
    app.store.append("order-2", [Ordered("tea")])
    said = cli("worker", "run", "--until-caught-up", code=1).stderr
    assert "reaction 'mail' has parked the events of key '1' from position 2 on" in said
    yield cli
    app.close()


def test_they_are_listed_without_a_database(cli: Cli) -> None:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.mailing:app"

    assert cli.json("reactions", "list") == [
        {"reaction": "mail", "start": "beginning", "partitions": 1, "events": ["Ordered"]}
    ]
    assert cli.json("check")["reactions"] == [{"reaction": "mail", "events": ["Ordered"]}]


def test_their_status_says_what_is_parked_and_why(mailing: Cli) -> None:
    (status,) = mailing.json("reactions", "status")

    assert (status["reaction"], status["state"], status["position"], status["lag"]) == ("mail", "parked", 4, 0)
    assert status["parked"] == 2
    assert "ConnectionError: no such address" in status["error"]
    assert "eventfold reactions retry mail" in status["error"]
    assert mailing.json("status")["reactions"][0]["error"] == status["error"]
    assert (status["events"], status["discarded"]) == (2, 0)
    assert "parked" in mailing("reactions", "status").stdout


def test_what_is_parked_is_listed_and_retried_when_what_was_wrong_is_mended(mailing: Cli) -> None:
    listed = mailing.json("reactions", "parked")
    again = mailing("reactions", "retry", "mail", "--format", "json", code=1)
    Mood.broken = False
    mended = mailing.json("reactions", "retry", "mail", "1")

    assert [(each["reaction"], each["key"], each["position"], each["events"]) for each in listed] == [
        ("mail", "1", 2, 2)
    ]
    assert '"done":0,"left":2' in again.stdout
    assert mended == [{"reaction": "mail", "key": "1", "done": 2, "left": 0, "error": None}]
    assert mailing.json("reactions", "parked", "mail") == []


def test_what_is_parked_is_given_up(mailing: Cli) -> None:
    assert mailing.json("reactions", "discard", "mail", "1")["discarded"] == 2
    assert mailing.json("reactions", "status")[0]["state"] == "live"
    assert "name a KEY" in mailing("reactions", "discard", "mail", code=2).stderr


def test_one_is_paused_and_resumed(mailing: Cli) -> None:
    mailing("reactions", "pause", "mail")
    paused = mailing.json("reactions", "status")[0]["state"]
    mailing("reactions", "resume", "mail")

    assert paused == "paused"
    assert mailing.json("reactions", "status")[0]["state"] == "parked"


def test_a_name_that_there_is_not_is_told_with_those_that_there_are(mailing: Cli) -> None:
    for noun in ("retry", "pause", "resume", "parked"):
        said = mailing("reactions", noun, "post", code=1).stderr
        assert "no reaction is called 'post' (there are: mail)" in said
