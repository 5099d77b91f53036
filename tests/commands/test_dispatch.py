"""From a command to stored events, their receipt and what travels with them, for threads and for an event loop alike."""

from datetime import UTC, datetime
from typing import Any

import pytest

from commands.retry import RetryPolicy
from eventfold import (
    ANY,
    Aggregate,
    Command,
    DefinitionError,
    InvalidCommand,
    InvalidEvent,
    NewEvent,
    Query,
    Rejected,
    StreamNotFound,
    TooManyConflicts,
    handles,
    replace,
)
from tests.commands.bank import (
    BETWEEN,
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Look,
    LookAtSeats,
    Subscribe,
    Subscribed,
    Transfer,
    Withdraw,
    Withdrawn,
    subscribe,
)
from tests.commands.conftest import Driver, OpenDriver

QUICK = RetryPolicy(attempts=3, base_seconds=0.0, max_seconds=0.0)


def events(app: Driver, stream: str) -> list[object]:
    return [each.event for each in app.store.read_stream(stream)]


def test_when_a_command_is_dispatched_then_its_events_are_stored_and_the_receipt_says_where(app: Driver) -> None:
    first = app.dispatch(Deposit("a-1", 10))
    second = app.dispatch(Withdraw("a-1", 4))
    assert events(app, "account-a-1") == [Deposited(10), Withdrawn(4)]
    assert (second.stream, second.version, second.events) == ("account-a-1", 2, (Withdrawn(4),))
    assert second.versions == {"account-a-1": 2}
    assert second.position == app.store.head()
    assert first.token < second.token
    assert app.load(Account, "a-1") == Account(6)


def test_when_the_decision_has_nothing_to_say_then_the_receipt_tells_where_the_stream_stands(app: Driver) -> None:
    stored = app.dispatch(Deposit("a-1", 10))
    app.dispatch(Deposit("a-2", 10))
    looked = app.dispatch(Look("a-1"))
    assert (looked.stream, looked.version, looked.position) == ("account-a-1", 1, stored.position)
    assert (looked.events, looked.versions) == ((), {})
    assert app.store.head() == app.dispatch(Look("a-2")).position


def test_when_there_was_never_anything_then_the_receipt_stands_at_zero(app: Driver) -> None:
    receipt = app.dispatch(Look("nobody"))
    assert (receipt.version, receipt.position) == (0, 0)
    with pytest.raises(StreamNotFound):
        app.load(Account, "nobody")


def test_when_the_decision_rejects_then_nothing_is_stored(app: Driver) -> None:
    app.dispatch(Deposit("a-1", 10))
    with pytest.raises(Rejected, match="cannot withdraw 11: balance is 10"):
        app.dispatch(Withdraw("a-1", 11))
    assert events(app, "account-a-1") == [Deposited(10)]


def test_given_several_streams_then_all_of_them_are_written_in_one_append(app: Driver) -> None:
    app.dispatch(Deposit("a-1", 10))
    receipt = app.dispatch(Transfer("a-1", "a-2", 7))
    assert receipt.versions == {"account-a-1": 2, "account-a-2": 1}
    assert (receipt.stream, receipt.version) == ("account-a-1", 2)
    assert receipt.events == (Withdrawn(7), Deposited(7))
    assert (app.load(Account, "a-1"), app.load(Account, "a-2")) == (Account(3), Account(7))


def test_given_several_streams_when_one_of_them_moves_meanwhile_then_both_are_decided_again(app: Driver) -> None:
    app.dispatch(Deposit("a-1", 10))
    BETWEEN.append(lambda: app.store.append("account-a-2", [Deposited(1)]))
    assert app.dispatch(Transfer("a-1", "a-2", 7)).versions == {"account-a-1": 2, "account-a-2": 2}
    BETWEEN.append(lambda: app.store.append("account-a-1", [Withdrawn(3)]))
    with pytest.raises(Rejected, match="balance is 0"):
        app.dispatch(Transfer("a-1", "a-2", 3))
    assert app.load(Account, "a-2") == Account(8)


def test_given_a_second_writer_between_load_and_append_then_the_command_is_decided_on_the_new_state(
    app: Driver,
) -> None:
    app.dispatch(Deposit("a-1", 10))
    BETWEEN.append(lambda: app.store.append("account-a-1", [Withdrawn(5)]))
    with pytest.raises(Rejected, match="balance is 5"):
        app.dispatch(Withdraw("a-1", 8))
    BETWEEN.append(lambda: app.store.append("account-a-1", [Deposited(5)]))
    assert app.dispatch(Withdraw("a-1", 4)).version == 4
    assert app.load(Account, "a-1") == Account(6)


@pytest.mark.parametrize("conflicts", [1, 2, 3])
def test_given_a_writer_who_is_always_faster_then_the_attempts_are_bounded(
    open_driver: OpenDriver, conflicts: int
) -> None:
    app = open_driver(retry=QUICK)
    BETWEEN[:] = [lambda: app.store.append("account-a-1", [Deposited(1)])] * conflicts
    if conflicts < QUICK.attempts:
        assert app.dispatch(Deposit("a-1", 100)).version == conflicts + 1
        return
    with pytest.raises(
        TooManyConflicts, match=r"Deposit: 3 attempts met a change.*account-a-1.*expected version 2"
    ) as caught:
        app.dispatch(Deposit("a-1", 100))
    assert caught.value.status == 409
    assert events(app, "account-a-1") == [Deposited(1)] * 3


def test_given_a_query_then_the_decision_is_folded_over_streams_and_its_boundary_is_held(app: Driver) -> None:
    app.dispatch(Subscribe("s-1", "c-1"))
    app.dispatch(Subscribe("s-2", "c-2"))
    BETWEEN.append(lambda: app.store.append("student-s-3", [Subscribed("s-3", "c-1")]))
    with pytest.raises(Rejected, match="course c-1 is full"):
        app.dispatch(Subscribe("s-4", "c-1"))
    assert app.dispatch(Subscribe("s-4", "c-2")).stream == "student-s-4"
    found = list(app.store.read_log(query=Query.of(Subscribed, tags=["course:c-1"])))
    assert [each.event.student_id for each in found] == ["s-1", "s-3"]


def test_given_a_query_when_the_decision_has_nothing_to_say_then_the_receipt_tells_where_the_stream_stands(
    app: Driver,
) -> None:
    app.dispatch(Subscribe("s-1", "c-1"))
    stored = app.dispatch(Subscribe("s-1", "c-2"))

    looked = app.dispatch(LookAtSeats("s-1", "c-1"))

    assert (looked.stream, looked.version, looked.position) == ("student-s-1", 2, stored.position)
    assert (looked.events, looked.versions) == ((), {})
    assert app.dispatch(LookAtSeats("s-9", "c-1")).version == 0


class Capped(Aggregate[Subscribed]):
    most: int = 0
    taken: int = 0

    def evolve(self, event: Subscribed) -> "Capped":
        return replace(self, taken=self.taken + 1)


class SubscribeUpTo(Command):
    course_id: str
    most: int


def capped(command: SubscribeUpTo) -> Query:
    return Query.of(Subscribed, tags=[f"course:{command.course_id}"])


@handles(
    query=capped, stream=lambda command: f"course-{command.course_id}", initial=lambda command: Capped(command.most)
)
def subscribe_up_to(places: Capped, command: SubscribeUpTo) -> list[Subscribed]:
    if places.taken >= places.most:
        raise Rejected(f"{places.taken} of {places.most} are taken")
    return [Subscribed("s", command.course_id)]


def test_given_a_query_with_an_initial_state_then_the_state_knows_the_command(open_driver: OpenDriver) -> None:
    app = open_driver(handlers=[subscribe_up_to])
    app.dispatch(SubscribeUpTo("c", 1))

    with pytest.raises(Rejected, match="1 of 1 are taken"):
        app.dispatch(SubscribeUpTo("c", 1))

    assert app.dispatch(SubscribeUpTo("c", 2)).version == 2


def test_given_an_initial_state_of_something_else_then_the_error_says_so(open_driver: OpenDriver) -> None:
    declared = handles(query=capped, stream="course_id", initial=lambda _command: Account(1))

    with pytest.raises(DefinitionError, match=r"initial=: expected a Capped, got Account"):
        open_driver(handlers=[declared(subscribe_up_to.function)]).dispatch(SubscribeUpTo("c", 1))


def test_given_a_query_when_only_other_events_come_in_meanwhile_then_there_is_no_conflict(
    open_driver: OpenDriver,
) -> None:
    app = open_driver(retry=RetryPolicy(attempts=1))
    BETWEEN.append(lambda: app.store.append("student-s-3", [Subscribed("s-3", "c-2")]))
    assert app.dispatch(Subscribe("s-1", "c-1")).events == (Subscribed("s-1", "c-1"),)


def test_given_a_query_and_a_writer_who_is_always_faster_then_the_attempts_are_bounded(
    open_driver: OpenDriver,
) -> None:
    app = open_driver(retry=RetryPolicy(attempts=2, base_seconds=0.0))
    BETWEEN[:] = [lambda: app.store.append("x-1", [Subscribed("s", "c-1")], expected=ANY)] * 2
    with pytest.raises(TooManyConflicts, match="2 attempts"):
        app.dispatch(Subscribe("s-1", "c-1"))
    assert events(app, "student-s-1") == []


def test_what_travels_beside_the_command_is_stored_with_its_events(app: Driver) -> None:
    happened = datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    app.dispatch(
        Deposit("a-1", 10), correlation_id="talk", causation_id="mail-7", occurred_at=happened, metadata={"by": ["me"]}
    )
    stored = next(iter(app.store.read_stream("account-a-1")))
    assert (stored.correlation_id, stored.occurred_at, stored.metadata) == ("talk", happened, {"by": ["me"]})
    assert stored.causation_id == "mail-7"  # commands are not in the log, so its events carry on what caused it


def test_given_a_command_that_begins_a_conversation_then_its_id_is_the_conversation(app: Driver) -> None:
    app.dispatch(Deposit("a-1", 1))
    app.dispatch(Transfer("a-1", "a-2", 1))
    source, target = (list(app.store.read_stream(f"account-{each}"))[-1] for each in ("a-1", "a-2"))
    assert source.correlation_id == source.causation_id == target.causation_id == target.correlation_id
    assert next(iter(app.store.read_stream("account-a-1"))).correlation_id != source.correlation_id


def test_given_a_decision_that_wraps_its_events_then_what_it_says_goes_before_what_the_command_brought(
    open_driver: OpenDriver,
) -> None:
    happened = datetime(2020, 1, 1, tzinfo=UTC)

    @handles
    def deposit(account: Account, command: Deposit) -> list[NewEvent[AccountEvent]]:
        return [NewEvent(Deposited(command.amount), tags=["vip"], metadata={"a": 2, "c": 3}, occurred_at=happened)]

    app = open_driver(handlers=[deposit])
    receipt = app.dispatch(
        Deposit("a-1", 10), metadata={"a": 1, "b": 1}, correlation_id="talk", occurred_at=datetime.now(UTC)
    )
    stored = next(iter(app.store.read_stream("account-a-1")))
    assert stored.metadata == {"a": 2, "b": 1, "c": 3}
    assert (stored.tags, stored.occurred_at, stored.correlation_id) == (("vip",), happened, "talk")
    assert receipt.events == (Deposited(10),)


@pytest.mark.parametrize("occurred_at", [datetime(2020, 1, 1), "2020-01-01"])  # noqa: DTZ001 - the fault itself
def test_when_the_business_time_is_no_instant_then_nothing_is_stored(app: Driver, occurred_at: datetime) -> None:
    with pytest.raises(ValueError, match="occurred_at: expected a datetime with a time zone"):
        app.dispatch(Deposit("a-1", 10), occurred_at=occurred_at)
    assert app.store.head() == 0


def test_when_a_decision_returns_something_else_than_events_then_the_error_names_it(open_driver: OpenDriver) -> None:
    @handles
    def deposit(account: Account, command: Deposit) -> list[AccountEvent]:
        return Deposited(1)  # type: ignore[return-value]  # wrong on purpose

    app = open_driver(handlers=[deposit])
    with pytest.raises(DefinitionError, match="handler deposit: expected a list of events, got Deposited"):
        app.dispatch(Deposit("a-1", 1))


def test_when_a_decision_over_several_streams_names_an_unknown_one_then_the_error_says_so(
    open_driver: OpenDriver,
) -> None:
    @handles(streams={"source": "source_id", "target": "target_id"})
    def transfer(source: Account, target: Account, command: Transfer) -> dict[str, list[AccountEvent]]:
        return {"sauce": [Deposited(1)]} if command.amount == 1 else [Deposited(1)]  # type: ignore[return-value]  # wrong on purpose

    app = open_driver(handlers=[transfer])
    with pytest.raises(DefinitionError, match=r"returned events for \['sauce'\]"):
        app.dispatch(Transfer("a-1", "a-2", 1))
    with pytest.raises(DefinitionError, match="return a dict from source or target"):
        app.dispatch(Transfer("a-1", "a-2", 2))
    assert app.store.head() == 0


def test_when_a_decision_over_several_streams_returns_a_bare_event_then_the_error_names_its_parameter(
    open_driver: OpenDriver,
) -> None:
    @handles(streams={"source": "source_id", "target": "target_id"})
    def transfer(source: Account, target: Account, command: Transfer) -> Any:
        return {"source": [Withdrawn(1)], "target": Deposited(1)}

    app = open_driver(handlers=[transfer])
    with pytest.raises(DefinitionError, match="handler transfer: target: expected a list of events, got Deposited"):
        app.dispatch(Transfer("a-1", "a-2", 1))
    assert app.store.head() == 0


@pytest.mark.parametrize(("brought", "own"), [("text", {"a": 1}), ({"a": 1}, [1])])
def test_when_metadata_is_no_dict_then_the_event_is_refused_whoever_gave_it(
    open_driver: OpenDriver, brought: Any, own: Any
) -> None:
    @handles
    def deposit(account: Account, command: Deposit) -> list[NewEvent[AccountEvent]]:
        return [NewEvent(Deposited(command.amount), metadata=own)]

    app = open_driver(handlers=[deposit])
    with pytest.raises(InvalidEvent, match="metadata: expected a dict of texts to JSON values, got "):
        app.dispatch(Deposit("a-1", 1), metadata=brought)
    assert app.store.head() == 0


def test_when_the_field_that_names_the_stream_is_none_then_the_command_is_invalid(open_driver: OpenDriver) -> None:
    class Open(Command):
        account_id: str | None = None

    @handles
    def open_account(account: Account, command: Open) -> list[AccountEvent]:
        return [Deposited(1)]

    app = open_driver(handlers=[open_account])
    with pytest.raises(InvalidCommand, match="Open: account_id: expected what names the stream, got None"):
        app.dispatch(Open())
    assert app.store.head() == 0


def test_a_handler_can_be_called_like_the_function_that_it_is() -> None:
    assert subscribe.name == "subscribe"
    assert subscribe.function(subscribe.parameters[0].aggregate(), Subscribe("s", "c")) == [Subscribed("s", "c")]
