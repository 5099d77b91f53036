"""Scheduled commands on the command line."""

from collections.abc import Iterator

import pytest

from eventfold import Application, Schedule
from tests.commands.bank import Deposit, deposit
from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.shop import AddItem, OpenOrder


@pytest.fixture
def scheduled(cli: Cli) -> Iterator[Cli]:
    """Three: one that is due, one that will be refused, one that comes tomorrow."""
    shop.app.parts.use_database(cli.database)
    shop.app.parts.migrate()
    shop.app.dispatch(OpenOrder("o-1", "Ada"))
    shop.app.schedule(AddItem("o-1", "tea"), after=0, metadata={"user": "ada"})
    shop.app.schedule(OpenOrder("o-1", "Bob"), after=0)
    shop.app.schedule(AddItem("o-1", "milk"), every=86_400, name="daily")
    shop.app.close()
    return cli


def test_they_are_listed_and_shown(scheduled: Cli) -> None:
    rows = scheduled.json("schedule", "list")

    assert [each["command"] for each in rows] == ["AddItem", "OpenOrder", "AddItem"]
    assert [each["state"] for each in rows] == ["waiting"] * 3
    assert rows[2]["recurs"] == "every 1 d"
    assert "daily" in scheduled("schedule", "list").stdout
    shown = scheduled.json("schedule", "show", rows[0]["id"])
    assert shown["data"] == {"order_id": "o-1", "name": "tea", "cents": 100}
    assert shown["carried"] == {"metadata": {"user": "ada"}}
    assert f"go on with --after {rows[0]['id']}" in scheduled("schedule", "list", "--limit", "1").stderr
    assert scheduled.json("schedule", "list", "--after", rows[0]["id"]) == rows[1:]
    assert scheduled.json("schedule", "list", "--after", "daily") == []
    assert (
        "no scheduled command has the id or name 'never'"
        in scheduled("schedule", "list", "--after", "never", code=1).stderr
    )


def test_a_list_says_that_it_goes_on_after_where_one_stands_now(cli: Cli) -> None:
    words = cli("schedule", "list", "--help").stdout.replace("│", "").split()

    assert "fires meanwhile, some are left out" in " ".join(words)


def test_the_status_counts_them(scheduled: Cli) -> None:
    due = scheduled.json("schedule", "list")[0]["due_at"]

    assert scheduled.json("status")["scheduled"] == {"waiting": 3, "due": 2, "failed": 0, "next_at": due}

    scheduled("schedule", "run")
    found = scheduled.json("status")["scheduled"]
    assert (found["waiting"], found["due"], found["failed"]) == (1, 0, 1)
    assert "next (UTC)" in scheduled("status").stdout


def test_what_is_due_is_dispatched_and_a_refusal_is_seen(scheduled: Cli) -> None:
    assert scheduled.json("schedule", "run") == {"dispatched": 2}
    assert scheduled.json("schedule", "run") == {"dispatched": 0}

    [failed] = scheduled.json("schedule", "list", "--state", "failed")
    assert (failed["command"], failed["error"]) == ("OpenOrder", "order o-1 is open already")
    assert len(scheduled.json("events", "list")) == 2
    scheduled("schedule", "run", failed["id"], code=1)
    assert scheduled.json("schedule", "cancel", failed["id"])["state"] == "cancelled"


def test_one_is_dispatched_out_of_turn_and_stays_due_when_it_was(scheduled: Cli) -> None:
    due = scheduled.json("schedule", "show", "daily")["due_at"]

    ran = scheduled.json("schedule", "run", "daily")

    assert (ran["state"], ran["fired"], ran["due_at"]) == ("waiting", 1, due)
    assert scheduled.json("schedule", "run", "daily")["fired"] == 2


def test_a_refusal_out_of_turn_is_not_tried_again_before_its_time(scheduled: Cli) -> None:
    with Application(scheduled.database, handlers=[shop.open_order]) as app:
        app.schedule(OpenOrder("o-1", "Eve"), every=3600, name="hourly")

    ran = scheduled("schedule", "run", "hourly", "--format", "csv", code=1)

    assert "order o-1 is open already" in ran.stdout
    assert scheduled.json("schedule", "run") == {"dispatched": 2}


def test_cancelled_it_is_never_done(scheduled: Cli) -> None:
    assert scheduled.json("schedule", "cancel", "daily")["state"] == "cancelled"

    assert "daily is cancelled; nothing was done" in scheduled("schedule", "cancel", "daily", code=1).stderr
    assert "daily is cancelled; nothing was done" in scheduled("schedule", "run", "daily", code=1).stderr
    assert "no scheduled command has the id or name 'never'" in scheduled("schedule", "cancel", "never", code=1).stderr
    assert [each["name"] for each in scheduled.json("schedule", "list", "--state", "cancelled")] == ["daily"]


def test_what_is_left_to_others_is_seen(scheduled: Cli) -> None:
    nightly = Schedule("nightly", AddItem("o-1", "tea"), every=3600)
    with Application(scheduled.database, handlers=[shop.add_item], schedules=[nightly]) as app:
        app.schedules()
    with Application(scheduled.database, handlers=[deposit]) as app:
        foreign = app.schedule(Deposit("a-1", 5), after=0)

    states = {(each["command"], each["name"]): each["state"] for each in scheduled.json("schedule", "list")}

    assert states["AddItem", "nightly"] == "undeclared"
    assert states["Deposit", None] == "unhandled"
    assert "nothing handles Deposit" in scheduled("schedule", "run", foreign.id, code=1).stderr
    assert scheduled.json("schedule", "run") == {"dispatched": 2}


def test_a_worker_that_ends_when_it_has_caught_up_has_dispatched_what_is_due(scheduled: Cli) -> None:
    rows = scheduled.json("worker", "run", "--until-caught-up")

    assert [each["events"] for each in rows if each["projection"] == "orders"] == [2]


def test_a_state_that_there_is_not_is_wrong_usage(scheduled: Cli) -> None:
    said = scheduled("schedule", "list", "--state", "lost", code=2).stderr
    assert "--state" in said
