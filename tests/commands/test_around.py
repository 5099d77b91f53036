"""Middleware that is written once: what it may do, in threads and in tasks."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest

from eventfold import Around, DefinitionError, Envelope, Receipt, Rejected, replace
from tests.commands.bank import Deposit, Withdraw
from tests.commands.conftest import OpenDriver

Steps = Generator[Envelope, Receipt, Receipt | None]


@pytest.fixture(params=[False, True], ids=["at-once", "blocking"])
def blocking(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_it_sees_the_command_go_and_the_receipt_come(open_driver: OpenDriver, blocking: bool) -> None:
    seen: list[Any] = []

    def looked(envelope: Envelope) -> Steps:
        seen.append(envelope.command)
        receipt = yield envelope
        seen.append(receipt.version)
        return None

    open_driver(middleware=[Around(looked, blocking=blocking)]).dispatch(Deposit("a-1", 1))

    assert seen == [Deposit("a-1", 1), 1]


def test_it_may_change_the_command_and_the_receipt(open_driver: OpenDriver, blocking: bool) -> None:
    def doubled(envelope: Envelope) -> Steps:
        receipt = yield replace(envelope, command=Deposit("a-1", 2))
        return replace(receipt, version=99)

    receipt = open_driver(middleware=[Around(doubled, blocking=blocking)]).dispatch(Deposit("a-1", 1))

    assert (receipt.version, receipt.events[0].amount) == (99, 2)


def test_it_may_answer_in_place_of_the_handler(open_driver: OpenDriver, blocking: bool) -> None:
    answer = Receipt("account-a-1", 7, 7, (), {})

    def answered(envelope: Envelope) -> Steps:
        if envelope.metadata is None:
            return answer
        yield envelope
        return None

    app = open_driver(middleware=[Around(answered, blocking=blocking)])

    assert app.dispatch(Deposit("a-1", 1)) is answer
    assert app.store.head() == 0


def test_it_may_look_at_an_error_which_is_then_raised_all_the_same(open_driver: OpenDriver, blocking: bool) -> None:
    seen: list[str] = []

    def looked(envelope: Envelope) -> Steps:
        try:
            yield envelope
        except Rejected as error:
            seen.append(str(error))
        return None

    with pytest.raises(Rejected, match="balance is 0"):
        open_driver(middleware=[Around(looked, blocking=blocking)]).dispatch(Withdraw("a-1", 1))

    assert seen == ["cannot withdraw 1: balance is 0"]


def test_it_may_answer_an_error_with_a_receipt(open_driver: OpenDriver, blocking: bool) -> None:
    def forgiven(envelope: Envelope) -> Steps:
        try:
            yield envelope
        except Rejected:
            return Receipt("account-a-1", 0, 0, (), {})
        return None

    receipt = open_driver(middleware=[Around(forgiven, blocking=blocking)]).dispatch(Withdraw("a-1", 1))

    assert receipt.version == 0


def yields_twice(envelope: Envelope) -> Steps:
    yield envelope
    yield envelope
    return None


def yields_after_an_error(envelope: Envelope) -> Steps:
    try:
        yield envelope
    except Rejected:
        yield envelope
    return None


def yields_nothing(envelope: Envelope) -> Steps:
    if envelope.correlation_id == "":
        yield envelope
    return None


@pytest.mark.parametrize("wrong", [yields_twice, yields_after_an_error, yields_nothing])
def test_one_that_does_not_yield_once_is_named(open_driver: OpenDriver, wrong: Any) -> None:
    with pytest.raises(DefinitionError, match=f"middleware {wrong.__name__}: expected it to yield"):
        open_driver(middleware=[Around(wrong)]).dispatch(
            Withdraw("a-1", 1) if wrong is yields_after_an_error else Deposit("a-1", 1)
        )


def test_an_error_that_it_has_only_looked_at_keeps_its_cause(open_driver: OpenDriver, blocking: bool) -> None:
    reason = KeyError("why")

    def failing(envelope: Envelope) -> Steps:
        raise ValueError("what") from reason
        yield envelope

    def looked(envelope: Envelope) -> Steps:
        with suppress(ValueError):
            yield envelope
        return None

    driver = open_driver(middleware=[Around(looked, blocking=blocking), Around(failing, blocking=blocking)])
    with pytest.raises(ValueError, match="what") as raised:
        driver.dispatch(Deposit("a-1", 1))

    assert raised.value.__cause__ is reason
