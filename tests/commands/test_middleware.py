"""Middleware: plain callables around the next one, the first one outermost."""

from typing import Any

import msgspec
import pytest

from eventfold import (
    Application,
    AsyncApplication,
    Command,
    DefinitionError,
    Envelope,
    InvalidCommand,
    NoHandler,
    Receipt,
)
from tests.commands.bank import BETWEEN, HANDLERS, Account, Deposit, Deposited
from tests.commands.conftest import OpenDriver, Threaded


class Unhandled(Command):
    pass


def recorder(name: str, calls: list[str], *, awaited: bool) -> Any:
    async def around_awaited(envelope: Envelope, call_next: Any) -> Receipt:
        calls.append(f"{name} before {type(envelope.command).__name__}")
        receipt: Receipt = await call_next(envelope)
        calls.append(f"{name} after version {receipt.version}")
        return receipt

    def around(envelope: Envelope, call_next: Any) -> Receipt:
        calls.append(f"{name} before {type(envelope.command).__name__}")
        receipt: Receipt = call_next(envelope)
        calls.append(f"{name} after version {receipt.version}")
        return receipt

    return around_awaited if awaited else around


@pytest.fixture
def awaited(request: pytest.FixtureRequest, open_driver: OpenDriver) -> bool:
    return request.node.callspec.params["open_driver"] is not Threaded


def test_the_first_one_is_outermost(open_driver: OpenDriver, awaited: bool) -> None:
    calls: list[str] = []
    app = open_driver(middleware=[recorder(each, calls, awaited=awaited) for each in ("outer", "inner")])
    app.dispatch(Deposit("a-1", 1))
    assert calls == ["outer before Deposit", "inner before Deposit", "inner after version 1", "outer after version 1"]


def test_when_a_command_is_invalid_then_middleware_never_sees_it(open_driver: OpenDriver, awaited: bool) -> None:
    calls: list[str] = []
    app = open_driver(middleware=[recorder("only", calls, awaited=awaited)])
    with pytest.raises(InvalidCommand):
        app.dispatch(Deposit("a-1", 0))
    assert calls == []


def test_it_can_change_the_envelope_on_the_way(open_driver: OpenDriver, awaited: bool) -> None:
    def sign(envelope: Envelope, call_next: Any) -> Any:
        return call_next(msgspec.structs.replace(envelope, command=Deposit("a-1", 50), metadata={"user": "u-1"}))

    async def sign_awaited(envelope: Envelope, call_next: Any) -> Receipt:
        signed: Receipt = await sign(envelope, call_next)
        return signed

    app = open_driver(middleware=[sign_awaited if awaited else sign])
    app.dispatch(Deposit("a-1", 1))
    stored = next(iter(app.store.read_stream("account-a-1")))
    assert (stored.event, stored.metadata) == (Deposited(50), {"user": "u-1"})


@pytest.mark.parametrize(
    ("replacement", "error", "message"),
    [
        (Deposit("a-1", -5), InvalidCommand, "amount: expected `int` >= 1, got -5"),
        ("a command", InvalidCommand, "expected an instance of a Command class"),
        (Unhandled(), NoHandler, "nothing handles Unhandled"),
    ],
    ids=["faulty", "none at all", "unhandled"],
)
def test_when_it_puts_a_faulty_command_in_the_place_then_that_one_is_refused(
    open_driver: OpenDriver, awaited: bool, replacement: Any, error: type[Exception], message: str
) -> None:
    def spoil(envelope: Envelope, call_next: Any) -> Any:
        return call_next(msgspec.structs.replace(envelope, command=replacement))

    async def spoil_awaited(envelope: Envelope, call_next: Any) -> Receipt:
        spoiled: Receipt = await spoil(envelope, call_next)
        return spoiled

    app = open_driver(middleware=[spoil_awaited if awaited else spoil])

    with pytest.raises(error, match=message):
        app.dispatch(Deposit("a-1", 1))

    assert app.store.head() == 0


def test_it_can_stop_a_command(open_driver: OpenDriver, awaited: bool) -> None:
    def refuse(envelope: Envelope, _call_next: Any) -> Receipt:
        raise PermissionError(f"not {envelope.correlation_id}")

    async def refuse_awaited(envelope: Envelope, call_next: Any) -> Receipt:
        return refuse(envelope, call_next)

    app = open_driver(middleware=[refuse_awaited if awaited else refuse])
    with pytest.raises(PermissionError, match="not talk"):
        app.dispatch(Deposit("a-1", 1), correlation_id="talk")
    assert app.store.head() == 0


def test_it_runs_once_however_often_the_command_is_decided(open_driver: OpenDriver, awaited: bool) -> None:
    calls: list[str] = []
    app = open_driver(middleware=[recorder("only", calls, awaited=awaited)])
    BETWEEN.append(lambda: app.store.append("account-a-1", [Deposited(1)]))
    app.dispatch(Deposit("a-1", 1))
    assert calls == ["only before Deposit", "only after version 2"]
    assert app.load(Account, "a-1") == Account(2)


def test_given_a_callable_object_with_an_awaited_call_then_an_async_application_takes_it() -> None:
    class Around:
        async def __call__(self, envelope: Envelope, call_next: Any) -> Receipt:
            receipt: Receipt = await call_next(envelope)
            return receipt

    AsyncApplication("memory://", handlers=HANDLERS, middleware=[Around()])


def test_middleware_of_the_other_colour_is_an_error_when_the_application_is_made() -> None:
    plain, awaited = recorder("a", [], awaited=False), recorder("b", [], awaited=True)
    with pytest.raises(DefinitionError, match="an async application awaits it; declare it `async def`"):
        AsyncApplication("memory://", middleware=[plain])
    with pytest.raises(DefinitionError, match="only an AsyncApplication awaits it; declare it `def`"):
        Application("memory://", middleware=[awaited])
    with pytest.raises(DefinitionError, match="expected a callable"):
        Application("memory://", middleware=["audit"])  # type: ignore[list-item]  # wrong on purpose
