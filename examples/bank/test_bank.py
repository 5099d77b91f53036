"""Decisions are tested without a database; the application in a file of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.testing import given
from eventfold import Application, Recorded, Rejected
from examples.bank.account import (
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Open,
    Opened,
    Transfer,
    Withdraw,
    Withdrawn,
    deposit,
    open_account,
    transfer,
    withdraw,
)
from examples.bank.app import bank
from examples.bank.balances import Balance

ADA = Opened("Ada")
BOB = Opened("Bob")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    with bank(f"sqlite:///{tmp_path / 'bank.db'}") as app:
        yield app


def test_an_account_is_opened_once() -> None:
    given().when(open_account, Open("a-1", "Ada")).then(ADA)
    given(ADA).when(open_account, Open("a-1", "Bob")).then_rejected("is open already; it belongs to Ada")


def test_money_goes_only_into_an_account_that_is_open() -> None:
    given(ADA).when(deposit, Deposit("a-1", 100)).then(Deposited(100))
    given().when(deposit, Deposit("a-1", 100)).then_rejected("account a-1 is not open")


def test_an_amount_that_is_not_positive_never_gets_as_far_as_the_decision() -> None:
    given(ADA).when(deposit, Deposit("a-1", 0)).then_invalid("amount")


def test_no_more_is_withdrawn_than_there_is() -> None:
    given(ADA, Deposited(100)).when(withdraw, Withdraw("a-1", 100)).then(Withdrawn(100))
    given(ADA, Deposited(100)).when(withdraw, Withdraw("a-1", 101)).then_rejected("the balance is 100")


def test_a_transfer_writes_both_accounts() -> None:
    given(source=[ADA, Deposited(100)], target=[BOB]).when(transfer, Transfer("a-1", "b-1", 30)).then(
        source=[Withdrawn(30)], target=[Deposited(30)]
    )


def test_a_transfer_that_the_source_cannot_pay_writes_neither() -> None:
    given(source=[ADA], target=[BOB]).when(transfer, Transfer("a-1", "b-1", 30)).then_rejected("the balance is 0")


def test_a_transfer_names_two_accounts() -> None:
    given(source=[ADA], target=[ADA]).when(transfer, Transfer("a-1", "a-1", 30)).then_rejected("to itself")


def test_a_written_transfer_is_in_both_balances_and_a_refused_one_in_none(app: Application) -> None:
    app.dispatch(Open("a-1", "Ada"))
    app.dispatch(Open("b-1", "Bob"))
    app.dispatch(Deposit("a-1", 100))
    receipt = app.dispatch(Transfer("a-1", "b-1", 30))
    with pytest.raises(Rejected):
        app.dispatch(Transfer("a-1", "b-1", 71))
    balances = app.query(Balance).order_by("account_id").all(after=receipt.token)
    assert balances == [Balance("a-1", "Ada", 70), Balance("b-1", "Bob", 30)]


def test_the_state_of_an_account_can_be_seen_as_it_was(app: Application) -> None:
    app.dispatch(Open("a-1", "Ada"))
    app.dispatch(Deposit("a-1", 100))
    app.dispatch(Withdraw("a-1", 30))
    assert app.load(Account, "a-1") == Account("Ada", 70)
    assert app.load(Account, "a-1", at_version=2) == Account("Ada", 100)


def test_the_log_tells_the_story(app: Application) -> None:
    app.dispatch(Open("a-1", "Ada"))
    app.dispatch(Deposit("a-1", 100))
    recorded: list[Recorded[AccountEvent]] = list(app.store.read_stream("account-a-1"))
    assert [each.event for each in recorded] == [ADA, Deposited(100)]
