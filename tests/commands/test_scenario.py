"""The given / when / then kit: what holds passes, and what does not hold fails with a sentence that helps."""

import pytest

from commands.testing import given
from eventfold import NewEvent, Rejected, handles
from tests.commands.bank import (
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Look,
    Seats,
    Subscribe,
    Subscribed,
    Transfer,
    Withdraw,
    Withdrawn,
    deposit,
    look,
    seats_of,
    subscribe,
    transfer,
    withdraw,
)


def test_what_holds_passes() -> None:
    given(Deposited(100)).when(withdraw, Withdraw("a-1", 30)).then(Withdrawn(30))
    given().when(deposit, Deposit("a-1", 30)).then(Deposited(30))
    given(Deposited(10)).when(look, Look("a-1")).then_nothing()
    given(Deposited(10)).when(withdraw, Withdraw("a-1", 30)).then_rejected("balance is 10")
    given().when(withdraw, Withdraw("a-1", -3)).then_invalid("amount: expected")
    given(Subscribed("s", "c")).when(subscribe, Subscribe("t", "c")).then(Subscribed("t", "c"))


def test_given_several_streams_what_holds_passes() -> None:
    scenario = given(source=[Deposited(9)]).when(transfer, Transfer("a", "b", 4))
    scenario.then(source=[Withdrawn(4)], target=[Deposited(4)])
    given(target=[Deposited(9)]).when(transfer, Transfer("a", "b", 4)).then_rejected("balance is 0")


def test_given_a_query_then_it_picks_its_events_from_the_history_as_the_log_would() -> None:
    taken = [Subscribed("s", "c"), NewEvent(Subscribed("t", "d"), tags=["course:c"])]
    others = [Subscribed("u", "d"), Deposited(1)]
    given(*taken, *others).when(subscribe, Subscribe("v", "c")).then_rejected("course c is full")
    given(taken[0], *others).when(subscribe, Subscribe("v", "c")).then(Subscribed("v", "c"))


def test_given_a_query_with_an_initial_state_then_the_fold_begins_there() -> None:
    @handles(query=seats_of, initial=lambda _command: Seats(2), stream="student_id")
    def full(seats: Seats, command: Subscribe) -> list[Subscribed]:
        if seats.taken >= 2:
            raise Rejected("full")
        return []

    given().when(full, Subscribe("v", "c")).then_rejected("full")


def test_an_id_that_cannot_name_a_stream_is_invalid() -> None:
    given().when(deposit, Deposit("", 5)).then_invalid("at least one character")


def test_a_name_that_no_stream_can_have_is_invalid_as_it_would_be_for_a_dispatch() -> None:
    @handles(stream=lambda command: f"{command.account_id}\n")
    def astray(account: Account, command: Look) -> list[AccountEvent]:
        return []

    given().when(astray, Look("a")).then_invalid("printable characters only")


def test_given_one_history_then_several_commands_each_begin_from_it() -> None:
    rich = given(Deposited(100))
    refused = rich.when(withdraw, Withdraw("a-1", 101))
    taken = rich.when(withdraw, Withdraw("a-1", 30))
    taken.then(Withdrawn(30))
    refused.then_rejected("balance is 100")


def test_a_decision_over_one_stream_may_return_its_events_by_parameter() -> None:
    @handles
    def by_name(account: Account, command: Deposit) -> dict[str, list[AccountEvent]]:
        return {"account": [Deposited(command.amount)]}

    given().when(by_name, Deposit("a", 1)).then(Deposited(1))
    given().when(by_name, Deposit("a", 1)).then(account=[Deposited(1)])
    given().when(deposit, Deposit("a", 1)).then(account=[Deposited(1)])


def test_given_several_streams_then_a_history_without_their_names_fails() -> None:
    with pytest.raises(AssertionError, match=r"transfer reads several streams: name them, as in given\(source="):
        given(Deposited(9)).when(transfer, Transfer("a", "b", 4))


def test_given_several_streams_then_events_for_an_unknown_one_fail() -> None:
    @handles(streams={"source": "source_id", "target": "target_id"})
    def astray(source: Account, target: Account, command: Transfer) -> dict[str, list[AccountEvent]]:
        return {"sink": [Deposited(1)]}

    with pytest.raises(AssertionError, match=r"astray: returned events for \['sink'\]"):
        given().when(astray, Transfer("a", "b", 4))


def test_wrapped_events_are_compared_without_their_wrapping() -> None:
    @handles
    def wrapped(account: Account, command: Deposit) -> list[NewEvent[AccountEvent]]:
        return [NewEvent(Deposited(command.amount), tags=["vip"])]

    given().when(wrapped, Deposit("a", 1)).then(Deposited(1))


def test_other_events_fail_with_both() -> None:
    with pytest.raises(AssertionError, match=r"expected \[Withdrawn\(amount=31\)\], got \[Withdrawn\(amount=30\)\]"):
        given(Deposited(100)).when(withdraw, Withdraw("a-1", 30)).then(Withdrawn(31))


def test_a_refusal_where_events_were_expected_fails_with_the_reason() -> None:
    with pytest.raises(AssertionError, match="but the command was refused: cannot withdraw 30: balance is 0"):
        given().when(withdraw, Withdraw("a-1", 30)).then(Withdrawn(30))
    with pytest.raises(AssertionError, match="expected nothing, but the command was refused"):
        given().when(withdraw, Withdraw("a-1", 30)).then_nothing()


def test_events_where_a_refusal_was_expected_fail_with_the_events() -> None:
    with pytest.raises(AssertionError, match=r"expected Rejected, got \[Deposited\(amount=1\)\]"):
        given().when(deposit, Deposit("a", 1)).then_rejected()
    with pytest.raises(AssertionError, match="expected InvalidInput, got nothing"):
        given().when(look, Look("a")).then_invalid()


def test_a_refusal_of_another_kind_or_for_another_reason_fails() -> None:
    with pytest.raises(AssertionError, match=r"expected Rejected matching 'balance is 7', got Rejected.*balance is 0"):
        given().when(withdraw, Withdraw("a", 1)).then_rejected("balance is 7")
    with pytest.raises(AssertionError, match=r"expected Rejected matching '', got InvalidCommand"):
        given().when(withdraw, Withdraw("a", 0)).then_rejected()


def test_events_where_nothing_was_expected_fail() -> None:
    with pytest.raises(AssertionError, match="expected nothing, got"):
        given().when(deposit, Deposit("a", 1)).then_nothing()
    with pytest.raises(AssertionError, match=r"expected \[Deposited\(amount=1\)\], got nothing"):
        given().when(look, Look("a")).then(Deposited(1))


def test_given_several_streams_then_expectations_without_their_names_fail() -> None:
    with pytest.raises(AssertionError, match=r"expected \[Withdrawn\(amount=4\)\], got \{'source'"):
        given(source=[Deposited(9)]).when(transfer, Transfer("a", "b", 4)).then(Withdrawn(4))
    with pytest.raises(AssertionError, match="got nothing"):
        given().when(look, Look("a")).then(account=[Deposited(1)])


def test_a_history_of_other_events_or_of_an_unknown_stream_fails() -> None:
    with pytest.raises(AssertionError, match="Account is not folded from Subscribed"):
        given(Subscribed("s", "c")).when(look, Look("a"))
    with pytest.raises(AssertionError, match=r"transfer has no parameter \['sauce'\], only \['source', 'target'\]"):
        given(sauce=[Deposited(1)]).when(transfer, Transfer("a", "b", 4))


def test_events_of_which_only_some_have_a_name_fail() -> None:
    with pytest.raises(AssertionError, match="given: expected events with or without the name 'account', got both"):
        given(Deposited(1), account=[Deposited(2)]).when(look, Look("a"))
    with pytest.raises(AssertionError, match=r"then: expected all events by parameter name, got \[Deposited"):
        given().when(deposit, Deposit("a", 1)).then(Deposited(2), account=[Deposited(1)])


def test_a_decision_that_returns_no_list_fails() -> None:
    @handles
    def forgetful(account: Account, command: Deposit) -> list[AccountEvent]:
        pass  # type: ignore[empty-body]  # wrong on purpose

    with pytest.raises(AssertionError, match="expected a list of events, got None"):
        given().when(forgetful, Deposit("a", 1)).then_nothing()


def test_other_errors_of_a_decision_come_through() -> None:
    @handles
    def broken(account: Account, command: Deposit) -> list[AccountEvent]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        given().when(broken, Deposit("a", 1))
