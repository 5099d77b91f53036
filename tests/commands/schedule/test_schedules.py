"""Scheduled commands: kept, fired when they are due, once in effect, or cancelled."""

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine

from commands.schedule import lease
from commands.schedule.fire import ATTEMPTS
from commands.schedule.scheduled import Carried
from commands.schedule.schedules import KEEP_US
from commands.schedule.sql_statements import statements
from commands.schedule.table import ScheduleCounts
from commands.schedule.when import When
from eventfold import (
    Application,
    AsyncApplication,
    Command,
    Envelope,
    InvalidCommand,
    InvalidInput,
    Message,
    NoHandler,
    NotDue,
    NotFound,
    Receipt,
    Rejected,
    Unsupported,
    WrongExpectedVersion,
    handles,
    replace,
)
from tests.commands.bank import BETWEEN, HANDLERS, Account, Deposit, Deposited, Look, Withdraw, deposit
from tests.commands.schedule.conftest import NOON, Clock, OpenApp, everywhere, in_sql


def balance(app: Application, account: str = "a-1") -> int:
    return app.load(Account, account).balance if app.store.stream_version(f"account-{account}") else 0


# -- when it is due ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "when", [{"after": 60}, {"after": timedelta(minutes=1)}, {"at": NOON + timedelta(minutes=1)}], ids=repr
)
def test_a_command_is_done_when_it_is_due_and_only_once(app: Application, clock: Clock, when: dict[str, Any]) -> None:
    made = app.schedule(Deposit("a-1", 5), **when)
    clock.move(seconds=59)
    assert app.fire_due() == 0

    clock.move(seconds=1)

    assert app.fire_due() == 1
    assert app.fire_due() == 0
    assert balance(app) == 5
    assert (app.scheduled(made.id).state, app.scheduled(made.id).fired) == ("done", 1)


def test_what_is_long_due_is_done_in_the_order_of_its_instants(app: Application, clock: Clock) -> None:
    for minutes in (3, 1, 2):
        app.schedule(Deposit("a-1", minutes), after=timedelta(minutes=minutes))
    clock.move(days=400)

    assert app.fire_due() == 3
    assert [each.event.amount for each in app.store.read_stream("account-a-1")] == [1, 2, 3]


def test_its_events_say_what_has_led_to_them(app: Application) -> None:
    made = app.schedule(Deposit("a-1", 5), after=0, correlation_id="c-1", metadata={"user": "ada"}, occurred_at=NOON)

    app.fire_due()

    [recorded] = app.store.read_log()
    assert (recorded.correlation_id, recorded.causation_id, recorded.occurred_at) == ("c-1", made.id, NOON)
    assert recorded.metadata == {"user": "ada", "due_at": NOON.isoformat()}


@in_sql
def test_it_survives_a_restart(open_app: OpenApp, clock: Clock) -> None:
    with open_app() as first:
        made = first.schedule(Deposit("a-1", 5), after=60)
    clock.move(minutes=5)

    app = open_app()

    assert app.fire_due() == 1
    assert balance(app) == 5
    assert app.scheduled(made.id).due_at == NOON + timedelta(minutes=1)


# -- together with other things ---------------------------------------------------------------------------------------


@everywhere
def test_in_a_unit_of_work_it_is_scheduled_with_the_events_or_not_at_all(app: Application) -> None:
    with app.unit_of_work() as work:
        work.dispatch(Deposit("a-1", 1))
        made = work.schedule(Withdraw("a-1", 1), after=0)
    with pytest.raises(WrongExpectedVersion), app.unit_of_work() as refused:
        _ = (
            refused.dispatch(Deposit("a-1", 1)),
            refused.schedule(Deposit("a-1", 1), after=0),
            app.dispatch(Deposit("a-1", 1)),
        )
    with app.unit_of_work() as work:
        alone = work.schedule(Deposit("a-1", 7), after=0)

    assert {each.id for each in app.schedules()} == {made.id, alone.id}
    assert app.fire_due() == 2
    assert balance(app) == 1 - 1 + 1 + 7


@in_sql
def test_in_the_callers_own_transaction_it_is_there_with_its_commit(app: Application) -> None:
    engine = app.store.backend.sql.engine  # type: ignore[union-attr]  # a SQL database has one
    _ = app.parts.schedules
    for commits in (True, False):
        with engine.connect().execution_options(writes=True) as connection:
            connection.begin()
            app.schedule(Deposit("a-1", 5), after=0, connection=connection)
            app.store.append("account-a-2", [Deposited(1)], connection=connection)
            (connection.commit if commits else connection.rollback)()

    assert app.fire_due() == 1
    assert (balance(app), balance(app, "a-2")) == (5, 1)


@in_sql
def test_in_a_transaction_of_another_database_it_is_refused(app: Application) -> None:
    other = create_engine("sqlite://")
    with other.begin() as connection, pytest.raises(InvalidInput, match=r"got one to sqlite://;"):
        app.schedule(Deposit("a-1", 5), after=0, connection=connection)
    other.dispose()

    assert app.schedules() == []


def test_in_memory_there_is_no_transaction_to_schedule_in() -> None:
    with (
        Application("memory://", handlers=HANDLERS) as app,
        pytest.raises(Unsupported, match="no transaction to schedule in"),
    ):
        app.schedule(Deposit("a-1", 5), after=0, connection=object())  # type: ignore[arg-type]  # there is none


@everywhere
def test_a_page_goes_on_after_one_also_among_those_that_are_due_at_the_same_instant(app: Application) -> None:
    for _ in range(3):
        app.schedule(Deposit("a-1", 5), at=NOON)
    app.schedule(Deposit("a-1", 5), at=NOON - timedelta(days=30_000))
    table, rows = app.parts.schedules.table, app.schedules("waiting")

    assert [each.due_us for each in rows] == sorted(each.due_us for each in rows)
    assert [table.page(["waiting"], 2, each) for each in rows] == [rows[1:3], rows[2:], rows[3:], []]


@everywhere
def test_those_that_wait_are_due_and_have_failed_are_counted(app: Application, clock: Clock) -> None:
    assert app.parts.schedules.counts() == ScheduleCounts(0, 0, 0, None)
    app.schedule(Deposit("a-1", 5), after=0)
    app.schedule(Withdraw("a-2", 5), after=0)
    app.fire_due()
    overdue = app.schedule(Deposit("a-1", 5), after=60)
    app.schedule(Deposit("a-1", 5), after=600)
    clock.move(minutes=5)

    assert app.parts.schedules.counts() == ScheduleCounts(waiting=2, due=1, failed=1, next_us=overdue.due_us)


# -- cancelled --------------------------------------------------------------------------------------------------------


def test_what_is_cancelled_is_never_done(app: Application, clock: Clock) -> None:
    made = app.schedule(Deposit("a-1", 5), after=60)

    assert app.cancel(made.id) is True
    clock.move(days=1)

    assert app.fire_due() == 0
    assert app.scheduled(made.id).state == "cancelled"
    assert app.cancel(made.id) is False


def test_what_was_done_cannot_be_cancelled_and_what_never_was_is_not_found(app: Application) -> None:
    made = app.schedule(Deposit("a-1", 5), after=0)
    app.fire_due()

    assert app.cancel(made.id) is False
    with pytest.raises(NotFound, match="no scheduled command has the id or name 'nothing'"):
        app.cancel("nothing")


@everywhere
def test_cancelled_between_decision_and_append_it_stores_nothing(app: Application) -> None:
    made = app.schedule(Deposit("a-1", 5), after=0)
    BETWEEN.append(lambda: app.cancel(made.id))

    app.fire_due()

    assert balance(app) == 0
    assert (app.scheduled(made.id).state, app.scheduled(made.id).error) == ("cancelled", None)


@everywhere
def test_of_many_that_are_cancelled_while_they_are_fired_each_is_either_cancelled_or_done(
    app: Application, clock: Clock
) -> None:
    made = [app.schedule(Deposit(f"b-{number}", 1), after=0) for number in range(40)]
    cancelled: dict[str, bool] = {}

    def cancel() -> None:
        for each in made[::2] + made[1::2]:
            cancelled[each.id] = app.cancel(each.id)

    thread = threading.Thread(target=cancel)
    thread.start()
    app.fire_due()
    thread.join()
    app.fire_due()

    done = [balance(app, f"b-{number}") == 1 for number in range(40)]
    assert done == [not cancelled[each.id] for each in made]


# -- once in effect ---------------------------------------------------------------------------------------------------


@everywhere
def test_a_worker_that_comes_back_late_stores_nothing_again(app: Application, clock: Clock) -> None:
    app.schedule(Deposit("a-1", 5), after=0)

    def taken_over() -> None:
        clock.move(minutes=5)
        assert app.fire_due() == 1

    BETWEEN.append(taken_over)
    app.fire_due()

    assert balance(app) == 5
    assert [each.fired for each in app.schedules()] == [1]


def test_whoever_fires_what_is_done_meanwhile_is_told_so(open_app: OpenApp, clock: Clock) -> None:
    seen: list[str] = []

    def watch(envelope: Envelope, call_next: Callable[[Envelope], Receipt]) -> Receipt:
        try:
            return call_next(envelope)
        except NotDue as error:
            seen.append(str(error))
            raise

    app = open_app(middleware=[watch])
    made = app.schedule(Deposit("a-1", 5), after=0)
    BETWEEN.append(lambda: app.cancel(made.id))
    app.fire_due()

    assert seen == [
        "the scheduled command was cancelled, or done by somebody else, in the meantime; nothing was stored"
    ]


def test_what_stores_nothing_is_done_too(app: Application) -> None:
    made = app.schedule(Look("a-1"), after=0)

    assert app.fire_due() == 1
    assert app.scheduled(made.id).state == "done"
    assert app.fire_due() == 0


class Called(Message, channel="calls"):
    account_id: str


class Call(Command):
    account_id: str


@handles
def call(account: Account, command: Call) -> list[Called]:
    if BETWEEN:
        BETWEEN.pop()()
    return [Called(command.account_id)]


@everywhere
@pytest.mark.parametrize("key", [None, "once"])
def test_what_only_tells_others_something_tells_it_once(open_app: OpenApp, clock: Clock, key: str | None) -> None:
    app = open_app(handlers=[*HANDLERS, call])
    told = app.schedule(Call("a-1"), after=0, idempotency_key=key)
    never = app.schedule(Call("a-2"), after=0)

    def taken_over() -> None:
        app.cancel(never.id)
        clock.move(minutes=5)
        assert app.fire_due() == 1

    BETWEEN.append(taken_over)
    app.fire_due()
    app.fire_due()

    assert len(app.outbox.messages()) == 1
    assert [app.scheduled(each.id).state for each in (told, never)] == ["done", "cancelled"]


@everywhere
def test_under_an_idempotency_key_that_was_used_it_is_not_done_again(app: Application) -> None:
    app.dispatch(Deposit("a-1", 5), idempotency_key="once")
    made = app.schedule(Deposit("a-1", 5), after=0, idempotency_key="once")

    app.fire_due()

    assert balance(app) == 5
    assert app.scheduled(made.id).state == "done"


@everywhere
def test_workers_in_threads_do_each_command_once(app: Application) -> None:
    for number in range(60):
        app.schedule(Deposit(f"b-{number % 7}", 1), after=0)
    start = threading.Barrier(4)
    fired: list[int] = []

    def work() -> None:
        start.wait()
        fired.append(app.fire_due())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sum(balance(app, f"b-{number}") for number in range(7)) == 60
    assert {each.state for each in app.schedules()} == {"done"}


class Ponder(Command):
    account_id: str


@handles
def ponder(account: Account, command: Ponder) -> list[Deposited]:
    if BETWEEN:
        BETWEEN.pop()()
    return []


@everywhere
def test_what_takes_longer_than_a_lease_is_left_alone_meanwhile(
    open_app: OpenApp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.001)
    app = open_app(handlers=[*HANDLERS, ponder])
    made = app.schedule(Ponder("a-1"), after=0)
    next_one = app.schedule(Ponder("a-2"), after=1)
    clock.move(seconds=1)

    def takes_long() -> None:
        for _ in range(3):
            clock.move(microseconds=lease.LEASE_US * 0.9)
            while app.scheduled(made.id).look_us < clock() + lease.LEASE_US:
                time.sleep(0.001)
            assert app.fire_due() == 0

    BETWEEN.append(takes_long)

    assert app.fire_due() == 2
    assert [app.scheduled(each.id).fired for each in (made, next_one)] == [1, 1]


@in_sql
def test_what_others_are_to_do_is_not_looked_through(open_app: OpenApp, clock: Clock) -> None:
    app = open_app()
    foreign = app.parts.schedules.row(Withdraw("a-1", 5), Carried(), When(after=0))
    app.parts.schedules.table.keep(None, [replace(foreign, id=f"w-{number}") for number in range(3_000)])
    database = app.store.backend.sql
    assert database is not None
    sql = statements("eventfold_schedules", database.dialect)
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        asked = {"next_look": ("[]", '["Deposit"]'), "lease": ('["Deposit"]', clock(), "[]", 16, 16, "me", clock())}
        plans = [str(connection.exec_driver_sql(f"{explain} {sql[name]}", asked[name]).all()) for name in asked]

    by_command = r"by_command \(command=\?|by_command [\s\S]+Index Cond: \(+command ="
    assert [bool(re.search(by_command, plan)) for plan in plans] == [True, True]


# -- refused, failed, unknown -----------------------------------------------------------------------------------------


def test_what_is_rejected_has_failed_and_is_not_tried_again(app: Application, clock: Clock) -> None:
    made = app.schedule(Withdraw("a-1", 5), after=0)

    app.fire_due()
    clock.move(days=1)

    assert app.fire_due() == 0
    found = app.scheduled(made.id)
    assert (found.state, found.error, found.fired) == ("failed", "cannot withdraw 5: balance is 0", 0)
    assert app.cancel(made.id) is True


@everywhere
def test_what_fails_is_tried_again_later_each_time_and_then_given_up(app: Application, clock: Clock) -> None:
    def fail() -> None:
        raise ZeroDivisionError("out of the blue")

    made = app.schedule(Deposit("a-1", 5), after=0)
    tries = 0
    BETWEEN[:] = [fail] * 100
    while app.scheduled(made.id).state == "waiting":
        tries += app.fire_due()
        clock.move(minutes=5)

    assert tries == ATTEMPTS
    assert (app.scheduled(made.id).state, app.scheduled(made.id).error) == ("failed", "out of the blue")


@in_sql
def test_a_failure_may_say_what_no_database_keeps(open_app: OpenApp) -> None:
    def fail(_envelope: Envelope, _call_next: object) -> Receipt:
        raise RuntimeError("\0 and half a \ud800")

    app = open_app(middleware=[fail])
    made = app.schedule(Deposit("a-1", 5), after=0)

    app.fire_due()

    assert app.scheduled(made.id).error == r"\0 and half a \ud800"


def test_what_has_failed_at_first_is_done_at_the_next_try(app: Application, clock: Clock) -> None:
    def fail() -> None:
        raise ZeroDivisionError("out of the blue")

    made = app.schedule(Deposit("a-1", 5), after=0)
    BETWEEN.append(fail)
    app.fire_due()
    assert (app.scheduled(made.id).state, app.scheduled(made.id).attempts, app.fire_due()) == ("waiting", 1, 0)
    clock.move(seconds=1)

    assert app.fire_due() == 1
    assert balance(app) == 5
    assert app.scheduled(made.id).error is None


def test_a_command_that_cannot_be_read_any_more_has_failed(app: Application) -> None:
    made = app.schedule(Deposit("a-1", 5), after=0)
    stored = app.scheduled(made.id)
    app.cancel(made.id)
    app.parts.schedules.table.keep(None, [replace(stored, id="older", data='{"account": "a-1"}')])

    app.fire_due()

    assert app.scheduled("older").state == "failed"
    assert "account_id: missing" in str(app.scheduled("older").error)


@in_sql
def test_a_command_that_this_application_does_not_handle_is_left_to_others(open_app: OpenApp) -> None:
    made = open_app().schedule(Withdraw("a-1", 5), after=0)
    other = open_app(handlers=[deposit])

    assert other.fire_due() == 0
    assert other.scheduled(made.id).state == "waiting"


@pytest.mark.parametrize(
    ("arguments", "error", "fault"),
    [
        ({}, InvalidInput, "at, after, cron, every: expected one of them, got none"),
        ({"at": NOON, "after": 5}, InvalidInput, "expected one of them, got at and after"),
        ({"at": NOON.replace(tzinfo=None)}, InvalidInput, "at: expected a datetime with a time zone"),
        ({"after": -1}, InvalidInput, "after: expected a timedelta or seconds, from 0"),
        ({"after": True}, InvalidInput, "after: expected a timedelta or seconds"),
        ({"every": 0.5, "name": "n"}, InvalidInput, "every: expected a timedelta or seconds, from 1"),
        ({"every": 60}, InvalidInput, "name: expected one exactly where a command recurs, got None"),
        ({"after": 60, "name": "n"}, InvalidInput, "name: expected one exactly where a command recurs, got 'n'"),
        ({"every": 60, "name": ""}, InvalidInput, "name: expected a text of 1 to 100 printable characters"),
        ({"every": 60, "name": "n", "missed": "some"}, InvalidInput, "missed: expected one of 'all', 'latest', 'skip'"),
        ({"every": 60, "name": "n", "idempotency_key": "k"}, InvalidInput, "it would be done once"),
        ({"after": 60, "metadata": {"a": range(3)}}, InvalidInput, "metadata: expected what JSON can hold"),
        ({"after": 60, "metadata": [1]}, InvalidInput, "metadata: expected a dict"),
        ({"cron": "* * * *", "name": "n"}, InvalidInput, "cron: expected five fields"),
        ({"cron": "0 6 30 2 *", "name": "n"}, InvalidInput, "cron: expected an expression that names instants"),
        ({"cron": "0 6 * * *", "name": "n", "zone": "Mars"}, InvalidInput, "zone: expected the name of a time zone"),
    ],
    ids=repr,
)
def test_bad_input_is_refused_and_nothing_is_kept(arguments: dict[str, Any], error: type, fault: str) -> None:
    with Application("memory://", handlers=HANDLERS) as app:
        with pytest.raises(error, match=fault):
            app.schedule(Deposit("a-1", 5), **arguments)
        with pytest.raises(InvalidCommand):
            app.schedule(Deposit("a-1", -5), after=0)
        assert app.schedules() == []
    with (
        Application("memory://", handlers=[deposit]) as app,
        pytest.raises(NoHandler, match="nothing handles Withdraw"),
    ):
        app.schedule(Withdraw("a-1", 5), after=0)


# -- afterwards -------------------------------------------------------------------------------------------------------


@everywhere
def test_what_was_done_or_cancelled_is_forgotten_after_a_week_and_what_has_failed_after_90_days(
    app: Application, clock: Clock
) -> None:
    cancelled, failed = (app.schedule(command, after=0).id for command in (Deposit("a-1", 6), Withdraw("a-2", 5)))
    app.schedule(Deposit("a-1", 5), after=0)
    app.cancel(cancelled)
    app.fire_due()
    waiting = app.schedule(Deposit("a-1", 7), after=0)
    clock.move(microseconds=KEEP_US)
    assert app.parts.schedules.prune() == 0
    clock.move(seconds=1)

    assert app.parts.schedules.prune() == 2
    assert {each.id for each in app.schedules()} == {failed, waiting.id}
    clock.move(days=83)

    assert app.parts.schedules.prune() == 1
    assert [each.id for each in app.schedules()] == [waiting.id]


def test_an_async_application_fires_through_its_own_middleware(url: str, clock: Clock) -> None:
    async def stamp(envelope: Envelope, call_next: Callable[[Envelope], Awaitable[Receipt]]) -> Receipt:
        await asyncio.sleep(0)
        return await call_next(replace(envelope, metadata={**(envelope.metadata or {}), "stamped": True}))

    async def main() -> Any:
        async with AsyncApplication(url, handlers=HANDLERS, middleware=[stamp], migrate=True) as app:
            made = await app.schedule(Deposit("a-1", 5), after=0)
            other = await app.schedule(Deposit("a-1", 5), after=60)
            async with app.unit_of_work() as work:
                await work.schedule(Deposit("a-1", 5), after=0)
            fired = await app.fire_due()
            cancelled = await app.cancel(other.id)
            states = {each.id: each.state for each in await app.schedules()}
            recorded = [each async for each in app.store.read_log()]
            return fired, cancelled, states[made.id], (await app.scheduled(other.id)).state, recorded

    fired, cancelled, *states, recorded = asyncio.run(main())

    assert (fired, cancelled, states) == (2, True, ["done", "cancelled"])
    assert [each.metadata["stamped"] for each in recorded] == [True, True]


def test_a_rejection_is_not_raised_at_whoever_fires(app: Application) -> None:
    app.schedule(Withdraw("a-1", 5), after=0)
    app.schedule(Deposit("a-1", 5), after=0)

    assert app.fire_due() == 2
    with pytest.raises(Rejected):
        app.dispatch(Withdraw("a-1", 6))
