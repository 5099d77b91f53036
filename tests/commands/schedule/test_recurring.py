"""Commands that recur: at each instant once, also after a time without workers, and as the code declares them now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eventfold import Application, DefinitionError, InvalidInput, Schedule
from tests.commands.bank import BETWEEN, Account, Deposit, Withdraw, deposit
from tests.commands.schedule.conftest import NOON, Clock, OpenApp, everywhere, in_sql

HOURLY = Schedule("hourly", Deposit("a-1", 1), every=timedelta(hours=1))


def due_of(app: Application) -> list[str]:
    """The instants for which it was dispatched, by the clock of the day."""
    events = app.store.read_log()
    return [f"{datetime.fromisoformat((each.metadata or {})['due_at']):%H:%M}" for each in events]


@everywhere
def test_it_is_done_at_each_instant_once(open_app: OpenApp, clock: Clock) -> None:
    app = open_app(schedules=[HOURLY])
    for _ in range(6):
        app.fire_due()
        clock.move(minutes=30)
        app.fire_due()

    assert due_of(app) == ["13:00", "14:00", "15:00"]
    [row] = app.schedules()
    assert (row.state, row.fired, row.due_at) == ("waiting", 3, NOON + timedelta(hours=4))


@pytest.mark.parametrize(
    ("missed", "done"),
    [("all", ["13:00", "14:00", "15:00", "16:00"]), ("latest", ["15:00", "16:00"]), ("skip", ["16:00"])],
)
@pytest.mark.parametrize("when", [{"every": 3600}, {"cron": "0 * * * *"}], ids=["every", "cron"])
def test_what_was_missed_is_caught_up_by_its_policy(
    open_app: OpenApp, clock: Clock, when: dict[str, Any], missed: Any, done: list[str]
) -> None:
    app = open_app()
    app.schedule(Deposit("a-1", 1), name="hourly", missed=missed, **when)
    clock.move(hours=3, minutes=30)
    app.fire_due()
    clock.move(minutes=30)
    app.fire_due()

    assert due_of(app) == done


def test_what_is_only_a_little_late_is_not_skipped(open_app: OpenApp, clock: Clock) -> None:
    app = open_app()
    app.schedule(Deposit("a-1", 1), name="hourly", every=3600, missed="skip")
    clock.move(hours=1, seconds=59)
    app.fire_due()

    assert due_of(app) == ["13:00"]


@everywhere
def test_a_refusal_is_told_and_the_next_instant_comes_nevertheless(open_app: OpenApp, clock: Clock) -> None:
    app = open_app(schedules=[Schedule("hourly", Withdraw("a-1", 5), every=3600)])
    app.schedules()
    clock.move(hours=1)
    app.fire_due()
    assert (app.scheduled("hourly").state, app.scheduled("hourly").error) == (
        "waiting",
        "cannot withdraw 5: balance is 0",
    )

    app.dispatch(Deposit("a-1", 5))
    clock.move(hours=1)
    app.fire_due()

    assert app.load(Account, "a-1").balance == 0
    assert (app.scheduled("hourly").fired, app.scheduled("hourly").error) == (1, None)


@in_sql
def test_declared_again_at_each_start_it_is_one_and_changed_it_is_another(open_app: OpenApp, clock: Clock) -> None:
    declared = [HOURLY]
    for _ in range(3):
        [row] = open_app(schedules=declared).schedules()
        clock.move(minutes=10)
    app = open_app(schedules=[Schedule("hourly", Deposit("a-1", 2), every=3600)])

    [changed] = app.schedules()

    assert row.due_at == NOON + timedelta(hours=1)
    assert changed.id != row.id
    assert changed.due_at == clock.now + timedelta(hours=1)


def test_the_same_holds_for_one_that_is_scheduled_by_name(open_app: OpenApp, clock: Clock) -> None:
    app = open_app()
    first = app.schedule(Deposit("a-1", 1), name="hourly", every=3600)
    clock.move(minutes=10)

    assert app.schedule(Deposit("a-1", 1), name="hourly", every=3600) == first
    assert app.schedule(Deposit("a-1", 2), name="hourly", every=3600).id != first.id
    assert len(app.schedules()) == 1


def test_cancelled_it_stays_so_at_the_next_start_until_it_is_another(
    open_app: OpenApp, clock: Clock, sqlite_url: str
) -> None:
    with Application(sqlite_url, handlers=[deposit], schedules=[HOURLY]) as app:
        assert app.cancel("hourly")
    with Application(sqlite_url, handlers=[deposit], schedules=[HOURLY]) as app:
        assert [each.state for each in app.schedules()] == ["cancelled"]
    with Application(
        sqlite_url, handlers=[deposit], schedules=[Schedule("hourly", Deposit("a-1", 2), every=3600)]
    ) as app:
        assert [each.state for each in app.schedules()] == ["waiting"]


def test_one_that_was_scheduled_by_name_and_cancelled_may_be_scheduled_again(open_app: OpenApp) -> None:
    app = open_app()
    app.schedule(Deposit("a-1", 1), name="hourly", every=3600)
    app.cancel("hourly")

    assert app.schedule(Deposit("a-1", 1), name="hourly", every=3600).state == "waiting"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_taken_out_of_the_code_it_is_not_done_any_more(open_app: OpenApp, clock: Clock) -> None:
    before = open_app(schedules=[HOURLY])
    before.schedules()
    clock.move(hours=1)

    assert open_app().fire_due() == 0
    assert before.fire_due() == 1


@everywhere
def test_a_worker_that_comes_back_late_does_not_do_an_instant_again(open_app: OpenApp, clock: Clock) -> None:
    app = open_app(schedules=[HOURLY])
    app.schedules()
    clock.move(hours=1)

    def taken_over() -> None:
        clock.move(minutes=5)
        assert app.fire_due() == 1

    BETWEEN.append(taken_over)
    app.fire_due()

    assert due_of(app) == ["13:00"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("n", Deposit("a-1", 1)), "Schedule 'n': at, after, cron, every: expected one of them, got none"),
        (("n", Deposit("a-1", 1), "0 6 * * *", 60), "expected one of them, got cron and every"),
        (("n", Deposit("a-1", 1), "0 6 * *"), "cron: expected five fields"),
        (("", Deposit("a-1", 1), None, 60), "name: expected a text"),
        (("n", "Deposit", None, 60), "command: expected a command, got 'Deposit'"),
    ],
    ids=repr,
)
def test_a_declaration_that_makes_no_sense_is_refused(arguments: Any, fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        Schedule(*arguments)


@pytest.mark.parametrize(
    ("schedules", "fault"),
    [
        ([HOURLY, HOURLY], "two are called 'hourly'"),
        ([Schedule("n", Withdraw("a-1", 1), every=60)], "Schedule 'n': nothing handles Withdraw"),
        ([Schedule("n", Deposit("a-1", -1), every=60)], "Schedule 'n': Deposit: amount: expected"),
        (["n"], "schedules: expected Schedule"),
    ],
    ids=["twice", "no handler", "faulty", "no schedule"],
)
def test_an_application_refuses_what_it_could_never_do(schedules: Any, fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        Application("memory://", handlers=[deposit], schedules=schedules)


def test_time_in_a_zone_is_kept_when_clocks_change(open_app: OpenApp, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 27, 12, tzinfo=UTC)
    app = open_app()
    app.schedule(Deposit("a-1", 1), name="daily", cron="30 6 * * *", zone="Europe/Berlin", missed="all")
    clock.move(days=3)
    app.fire_due()

    assert due_of(app) == ["05:30", "04:30", "04:30"]


def test_a_key_for_one_that_recurs_is_refused(open_app: OpenApp) -> None:
    with pytest.raises(InvalidInput, match="expected none where a command recurs"):
        open_app().schedule(Deposit("a-1", 1), name="n", every=60, idempotency_key="k")
