"""The given / when / then kit: what holds passes, and what does not hold fails with a sentence that helps."""

import pytest

from commands.testing import given
from eventfold import NewEvent, handles
from tests.commands.bank import (
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Look,
    Subscribe,
    Subscribed,
    Transfer,
    Withdraw,
    Withdrawn,
    deposit,
    look,
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
    with pytest.raises(AssertionError, match="expected InvalidCommand, got nothing"):
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


def test_a_decision_that_returns_no_list_fails() -> None:
    @handles
    def forgetful(account: Account, command: Deposit) -> list[AccountEvent]:
        pass  # type: ignore[empty-body]

    with pytest.raises(AssertionError, match="expected a list of events, got None"):
        given().when(forgetful, Deposit("a", 1)).then_nothing()


def test_other_errors_of_a_decision_come_through() -> None:
    @handles
    def broken(account: Account, command: Deposit) -> list[AccountEvent]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        given().when(broken, Deposit("a", 1))
