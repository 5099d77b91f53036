"""A unit of work: several commands and appends, all of them or none, each seeing what the ones before it have decided."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commands.staging import Staging
from eventfold import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    AppendConditionFailed,
    Application,
    AsyncApplication,
    Command,
    EventfoldError,
    EventStore,
    InvalidCommand,
    InvalidEvent,
    InvalidInput,
    InvalidStreamName,
    Receipt,
    Rejected,
    WrongExpectedVersion,
    log_commands,
)
from tests.commands.bank import (
    HANDLERS,
    Account,
    Deposit,
    Deposited,
    Look,
    LookAtSeats,
    Subscribe,
    Transfer,
    Withdraw,
    Withdrawn,
)

Work = Callable[[Any], None]


class Sync:
    """Runs `[call, ...]` in one unit of work; a call is a command, or the arguments of an append."""

    def __init__(self, url: str) -> None:
        self.app = Application(url, handlers=HANDLERS, migrate=True, middleware=[log_commands()])
        self.between: list[Callable[[], object]] = []

    def run(self, *calls: Any) -> tuple[Receipt | None, list[tuple[Any, ...]]]:
        found = []
        with self.app.unit_of_work() as work:
            for call in calls:
                found += [work.dispatch(call)] if isinstance(call, Command) else [work.append(*call) or ()]
            for each in self.between:
                each()
        return work.receipt, found


class Async(Sync):
    """The same in an asyncio task."""

    def run(self, *calls: Any) -> tuple[Receipt | None, list[tuple[Any, ...]]]:
        async def within() -> tuple[Receipt | None, list[tuple[Any, ...]]]:
            app = AsyncApplication(self.app.parts.url, handlers=HANDLERS, middleware=[log_commands()])
            app.sync = self.app
            found = []
            async with app.unit_of_work() as work:
                for call in calls:
                    found += [await work.dispatch(call)] if isinstance(call, Command) else [work.append(*call) or ()]
                for each in self.between:
                    each()
            return work.receipt, found

        return asyncio.run(within())


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=[Sync, Async])
def unit(request: pytest.FixtureRequest, url: str) -> Iterator[Sync]:
    unit: Sync = request.param(url)
    yield unit
    unit.app.close()


def stored(unit: Sync) -> list[Any]:
    return [each.event for each in unit.app.store.read_log()]


def test_each_decision_sees_what_the_ones_before_it_have_decided(unit: Sync) -> None:
    receipt, found = unit.run(
        Deposit("a-1", 10), Withdraw("a-1", 4), Transfer("a-1", "a-2", 6), ("audit-1", [Deposited(1)]), Look("a-2")
    )

    assert found[:2] == [(Deposited(10),), (Withdrawn(4),)]
    assert unit.app.load(Account, "a-1").balance == 0
    assert unit.app.load(Account, "a-2").balance == 6
    assert receipt is not None
    assert receipt.versions == {"account-a-1": 3, "account-a-2": 1, "audit-1": 1}
    assert receipt.position == unit.app.store.head()
    assert len(receipt.events) == 5


def test_a_query_sees_what_was_decided_before(unit: Sync) -> None:
    with pytest.raises(Rejected, match="course c-1 is full"):
        unit.run(Subscribe("s-1", "c-1"), Subscribe("s-2", "c-1"), Subscribe("s-3", "c-1"))
    assert stored(unit) == []

    unit.run(Subscribe("s-1", "c-1"), Subscribe("s-2", "c-1"), Subscribe("s-3", "c-2"))
    assert len(stored(unit)) == 3


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Withdraw("a-1", 99), Rejected),
        (Deposit("a-1", -1), InvalidCommand),
        (Transfer("a-1", "a-1", 1), InvalidInput),
        (("audit-1", ["no event"]), InvalidEvent),
        (("", [Deposited(1)]), InvalidStreamName),
        (("audit-1", [Deposited(1)], 3), TypeError),
    ],
)
def test_when_one_fails_then_nothing_is_stored(unit: Sync, wrong: Any, error: type[Exception]) -> None:
    with pytest.raises((error, EventfoldError)) as caught:
        unit.run(Deposit("a-1", 10), wrong)

    assert isinstance(caught.value, (error, InvalidInput))
    assert stored(unit) == []


@pytest.mark.parametrize(
    ("calls", "meanwhile", "error"),
    [
        ([Deposit("a-1", 1)], Deposit("a-1", 5), WrongExpectedVersion),
        ([Look("a-1"), Deposit("a-2", 1)], Deposit("a-1", 5), WrongExpectedVersion),
        ([Subscribe("s-1", "c-1"), Deposit("a-1", 1)], Subscribe("s-9", "c-1"), AppendConditionFailed),
        ([LookAtSeats("s-1", "c-1"), Deposit("a-1", 1)], Subscribe("s-9", "c-1"), AppendConditionFailed),
    ],
)
def test_when_somebody_else_is_faster_then_nothing_is_stored(
    unit: Sync, calls: list[Any], meanwhile: Command, error: type[Exception]
) -> None:
    unit.between.append(lambda: unit.app.dispatch(meanwhile))

    with pytest.raises(error):
        unit.run(*calls)

    assert len(stored(unit)) == 1


def together(app: Application, *calls: Any) -> Receipt | None:
    """Commands, appends with what they expect, and what somebody else does meanwhile, in one unit of work."""
    with app.unit_of_work() as work:
        for call in calls:
            if isinstance(call, Command):
                work.dispatch(call)
            elif callable(call):
                call()
            else:
                stream, expected = call
                work.append(stream, [Deposited(1)], expected=expected)
    return work.receipt


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with Application(url, handlers=HANDLERS, migrate=True) as app:
        app.dispatch(Deposit("a-1", 10))
        yield app


def test_a_conflict_that_is_seen_before_the_end_is_a_conflict_too(app: Application) -> None:
    with pytest.raises(WrongExpectedVersion):
        together(app, Look("a-1"), lambda: app.dispatch(Deposit("a-1", 5)), Deposit("a-1", 1))

    assert app.load(Account, "a-1").balance == 15


@pytest.mark.parametrize(
    "calls",
    [
        [Look("a-1"), ("account-a-1", STREAM_EXISTS)],
        [("account-a-1", STREAM_EXISTS), Withdraw("a-1", 1)],
        [("account-a-1", ANY), ("account-a-1", 2)],
    ],
    ids=["read, then expected to exist", "expected to exist, then read", "expected after what was staged"],
)
def test_what_was_read_is_guarded_whatever_else_is_expected_of_the_stream(app: Application, calls: list[Any]) -> None:
    with pytest.raises(WrongExpectedVersion):
        together(app, *calls, lambda: app.dispatch(Deposit("a-1", 5)))
    assert app.load(Account, "a-1").balance == 15

    with pytest.raises(WrongExpectedVersion):
        together(app, *calls, ("account-a-1", 99))
    assert app.load(Account, "a-1").balance == 15


def test_what_is_expected_of_a_stream_counts_what_is_to_follow(app: Application) -> None:
    with pytest.raises(WrongExpectedVersion):
        together(app, ("audit-1", ANY), ("audit-1", NO_STREAM))
    with pytest.raises(WrongExpectedVersion):
        together(app, ("account-a-1", NO_STREAM), Deposit("a-1", 1))

    receipt = together(app, Look("a-1"), ("account-a-1", STREAM_EXISTS), ("audit-1", NO_STREAM), ("audit-1", 1))

    assert receipt is not None
    assert receipt.versions == {"account-a-1": 2, "audit-1": 2}


def test_what_others_do_elsewhere_disturbs_nothing(unit: Sync) -> None:
    unit.between.append(lambda: unit.app.dispatch(Subscribe("s-9", "c-9")))
    unit.between.append(lambda: unit.app.dispatch(Deposit("a-9", 1)))

    unit.run(Deposit("a-1", 1), Subscribe("s-1", "c-1"), Subscribe("s-2", "c-2"))

    assert len(stored(unit)) == 5


def test_without_events_there_is_nothing_to_store(unit: Sync) -> None:
    assert unit.run(Look("a-1"))[0] is None
    assert unit.run()[0] is None


def test_an_expected_version_counts_what_was_decided_before(unit: Sync) -> None:
    app = unit.app
    with app.unit_of_work() as work:
        work.dispatch(Deposit("a-1", 1))
        work.append("account-a-1", [Deposited(2)], expected=1)
        with pytest.raises(WrongExpectedVersion):
            work.append("account-a-1", [Deposited(3)], expected=1)
        work.append("audit-1", [Deposited(4)], expected=0)

    assert len(stored(unit)) == 3
    with pytest.raises(WrongExpectedVersion), app.unit_of_work() as late:
        late.append("audit-1", [Deposited(4)], expected=0)
    assert len(stored(unit)) == 3


def test_one_that_has_not_begun_says_how_to_begin_it() -> None:
    with Application("memory://", handlers=HANDLERS) as app:
        work = app.unit_of_work()
        for use in (
            lambda: work.dispatch(Deposit("a-1", 1)),
            lambda: work.append("audit-1", [Deposited(1)]),
            lambda: work.schedule(Deposit("a-1", 1), after=0),
            work.store,
        ):
            with pytest.raises(InvalidInput, match=r"would store nothing; use `with app\.unit_of_work\(\) as work:`"):
                use()


def test_an_asynchronous_one_that_has_not_begun_says_so_too() -> None:
    async def within() -> None:
        async with AsyncApplication("memory://", handlers=HANDLERS) as app:
            work = app.unit_of_work()
            with pytest.raises(InvalidInput, match=r"use `async with app\.unit_of_work\(\) as work:`"):
                await work.dispatch(Deposit("a-1", 1))
            with pytest.raises(InvalidInput, match="has begun"):
                work.append("audit-1", [Deposited(1)])
            with pytest.raises(InvalidInput, match="has begun"):
                await work.schedule(Deposit("a-1", 1), after=0)

    asyncio.run(within())


def test_one_that_is_over_and_an_idempotency_key_within_are_refused(unit: Sync) -> None:
    with unit.app.unit_of_work() as work:
        for command in (Look("a-1"), Deposit("a-1", 1)):
            with pytest.raises(InvalidInput, match="idempotency_key: expected none within a unit of work"):
                work.dispatch(command, idempotency_key="k")
        work.dispatch(Deposit("a-1", 1))
    with pytest.raises(InvalidInput, match="begin another"):
        work.dispatch(Deposit("a-1", 1))
    with pytest.raises(InvalidInput, match="begin another"):
        work.append("audit-1", [Deposited(1)])
    assert len(stored(unit)) == 1


def test_first_commands_that_are_dispatched_at_once_share_what_was_made_when_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[EventStore] = []

    def stage(store: EventStore) -> Staging:
        made.append(store)
        return Staging(store)

    async def within() -> Receipt | None:
        async with AsyncApplication("memory://", handlers=HANDLERS) as app, app.unit_of_work() as work:
            assert len(made) == 1  # threads that make one each would lose the events of all but one
            await asyncio.gather(*[work.dispatch(Deposit(f"a-{number}", 1)) for number in range(4)])
        return work.receipt

    monkeypatch.setattr("commands.unit_of_work.Staging", stage)
    receipt = asyncio.run(within())

    assert len(made) == 1
    assert receipt is not None
    assert len(receipt.events) == 4
