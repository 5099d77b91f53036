"""`eventfold outbox`: messages are listed, sent, let go, given up and forgotten."""

import signal

import pytest

from commands.outbox.relaying import START, Failed, Verdict
from eventfold import Outbox
from tests.eventfold.cli import telling
from tests.eventfold.cli.conftest import Cli


@pytest.fixture
def told(cli: Cli) -> Cli:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.telling:app"
    cli("dispatch", "Place", "order_id=o-1", "total=5")
    cli("dispatch", "Remind", "order_id=o-2")
    return cli


def park(url: str, count: int = 1) -> None:
    """As a relay does that meets a broker which refuses the first messages."""
    with Outbox(url) as outbox:
        taken = outbox.relays.take("relay", START, count, 10**18, hold=True)
        taken.settle(Verdict([], [Failed(each, "too large", None) for each in taken.rows], hold=True), 1)
        outbox.relays.release("relay")


def test_messages_are_listed_and_shown_in_every_format(told: Cli) -> None:
    rows = told.json("outbox", "list")
    assert [(each["channel"], each["key"], each["state"]) for each in rows] == [
        ("orders", "o-1", "pending"),
        ("letters", "o-2", "pending"),
        ("letters", "post", "pending"),
    ]
    assert "orders" in told("outbox", "list", "--state", "pending", "--channel", "orders").stdout
    assert "no messages" in told("outbox", "list", "--state", "sent").stderr
    assert f"go on with --after {rows[0]['number']}" in told("outbox", "list", "--limit", "1").stderr
    assert told.json("outbox", "list", "--key", "post", "--after", "1")[0]["number"] == rows[2]["number"]
    shown = told.json("outbox", "show", rows[0]["message_id"])
    assert (shown["source"], shown["schema"], shown["data"]) == (
        "/shop",
        "OrderPlaced/2",
        '{"order_id":"o-1","total":5,"version":1}',
    )
    assert told.json("outbox", "show", str(rows[0]["number"])) == shown
    assert "expected a UUID" in told("outbox", "show", "seven", code=1).stderr
    assert "no message of the number 77" in told("outbox", "show", "77", code=1).stderr


def test_they_are_sent_once_and_forgotten(told: Cli) -> None:
    assert told.json("outbox", "relay", "--once") == {"sent": 3}
    assert told.json("outbox", "relay", "--once") == {"sent": 0}
    status = told.json("outbox", "status")
    assert (status["pending"], status["sent"], status["broker_error"]) == (0, 3, None)
    assert told.json("outbox", "prune") == {"pruned": 0}
    assert told.json("outbox", "prune", "--older-than-hours", "0") == {"pruned": 3}


def test_the_status_of_the_application_tells_of_them_and_of_a_broker_that_is_away(told: Cli) -> None:
    told("outbox", "relay", "--once", "--broker", "nats://127.0.0.1:1", code=1)

    found = told.json("status")

    assert found["outbox"] == told.json("outbox", "status")
    assert (found["outbox"]["pending"], found["outbox"]["parked"]) == (3, 0)
    shown = told("status").stdout
    assert "oldest (UTC)" in shown
    assert "no servers available" in shown


def test_a_worker_that_ends_when_it_has_caught_up_sends_them_too(told: Cli) -> None:
    assert "3 messages handed to the broker" in told("worker", "run", "--until-caught-up").stderr
    assert told.json("outbox", "status")["sent"] == 3


def test_a_worker_without_a_broker_says_what_it_leaves_unsent(told: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling.app.parts, "broker", None)

    said = told("worker", "run", "--until-caught-up", code=1).stderr

    assert "3 messages wait in the outbox, and the application names no broker" in said


def test_check_lists_what_is_told_to_others_and_heard_of_them(told: Cli) -> None:
    found = told.json("check", "--app", "tests.eventfold.cli.hearing:app")
    assert found["broker"] == "NATS one:4222"
    assert found["publish"] == [{"event": "Ordered", "map": "order_placed"}]
    assert found["publications"] == [{"publication": "feed", "events": ["Ordered"]}]
    assert found["reactions"] == []
    (consumer,) = found["consumers"]
    assert (consumer["consumer"], consumer["channel"], consumer["messages"]) == ("hear", "numbers", ["Numbered"])
    assert "hunter2" not in told("check", "--app", "tests.eventfold.cli.hearing:app").stdout


def test_what_is_parked_is_let_go_or_given_up(told: Cli) -> None:
    park(told.database)
    [parked] = told.json("outbox", "list", "--state", "parked")
    assert parked["error"] == "too large"

    assert told.json("outbox", "retry", parked["message_id"]) == {"released": 1}
    assert "expected a parked one" in told("outbox", "discard", parked["message_id"], code=1).stderr
    park(told.database)
    [discarded] = told.json("outbox", "discard", str(parked["number"]))
    assert discarded["key"] == parked["key"]
    assert told.json("outbox", "relay", "--once") == {"sent": 2}


def test_several_are_given_up_or_none(told: Cli) -> None:
    park(told.database, 2)
    first, second = [str(each["number"]) for each in told.json("outbox", "list", "--state", "parked")]
    [pending] = [str(each["number"]) for each in told.json("outbox", "list", "--state", "pending")]

    assert "expected a parked one" in told("outbox", "discard", first, pending, second, code=1).stderr
    assert len(told.json("outbox", "list", "--state", "parked")) == 2

    discarded = told.json("outbox", "discard", first, second, first)
    assert [str(each["number"]) for each in discarded] == [first, second]
    assert [str(each["number"]) for each in told.json("outbox", "list")] == [pending]


def test_without_a_broker_it_says_what_to_give(cli: Cli) -> None:
    assert "--broker" in cli("outbox", "relay", code=2).stderr


def test_a_broker_that_is_away_is_told_of_once(told: Cli) -> None:
    process = told.start("outbox", "relay", "--once", "--broker", "nats://127.0.0.1:1")

    said = process.communicate()[1]

    assert process.returncode == 1
    assert said.startswith("error: NATS 127.0.0.1:1: expected an answer, got no servers available")
    assert said.count("NATS 127.0.0.1:1") == 1


def test_a_relay_ends_gracefully_when_it_is_terminated(told: Cli) -> None:
    process = told.start("outbox", "relay")
    assert process.stderr is not None
    assert "in this process's memory alone" in process.stderr.readline()
    assert "handing the messages of /shop over" in process.stderr.readline()

    process.send_signal(signal.SIGTERM)

    assert "stopped" in process.communicate()[1]
    assert process.returncode == 0
