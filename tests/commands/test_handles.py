"""What `@handles` infers from annotations, and the error where it cannot."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from commands import HandlerMap
from commands.retry import RetryPolicy
from eventfold import Aggregate, Command, DefinitionError, Query, handles
from tests.commands.bank import Account, AccountEvent, Deposit, Deposited, Transfer, deposit, transfer, withdraw


def test_the_command_the_aggregate_and_the_stream_come_from_the_annotations() -> None:
    assert deposit.command is Deposit
    assert [(each.name, each.aggregate) for each in deposit.parameters] == [("account", Account)]
    assert deposit.parameters[0].stream(Deposit("a-1", 1)) == "account-a-1"
    assert deposit.returns == list[AccountEvent]
    assert deposit(Account(), Deposit("a-1", 5)) == [Deposited(5)]


def test_each_of_several_aggregates_has_its_own_stream() -> None:
    command = Transfer("a", "b", 1)
    assert [each.stream(command) for each in transfer.parameters] == ["account-a", "account-b"]


def test_the_order_of_the_parameters_plays_no_part() -> None:
    @handles
    def late(command: Deposit, account: Account) -> list[AccountEvent]:
        return [Deposited(command.amount)]

    assert late.decide({"account": Account()}, Deposit("a", 3)) == [Deposited(3)]


def test_the_stream_can_be_said_by_field_or_by_function() -> None:
    @handles(stream="source_id")
    def by_field(account: Account, command: Transfer) -> list[AccountEvent]:
        return []

    @handles(stream=lambda command: f"vault-{command.amount}")
    def by_function(account: Account, command: Transfer) -> list[AccountEvent]:
        return []

    assert by_field.parameters[0].stream(Transfer("a", "b", 1)) == "account-a"
    assert by_function.parameters[0].stream(Transfer("a", "b", 1)) == "vault-1"


def test_one_declaration_can_be_used_for_several_functions() -> None:
    declared = handles(stream="source_id")

    @declared
    def first(account: Account, command: Transfer) -> list[AccountEvent]:
        return []

    @declared
    def second(account: Account, command: Transfer) -> list[AccountEvent]:
        return []

    assert second.parameters[0].stream(Transfer("a", "b", 1)) == "account-a"


def test_the_category_of_the_aggregate_names_the_field() -> None:
    class Purse(Aggregate[Deposited], category="wallet"):
        pass

    class Fill(Command):
        wallet_id: int

    @handles
    def fill(purse: Purse, command: Fill) -> list[Deposited]:
        return []

    assert fill.parameters[0].stream(Fill(7)) == "wallet-7"


class Nameless(Command):
    number: int


def no_command(account: Account) -> list[AccountEvent]:
    return []


def two_commands(account: Account, one: Deposit, two: Transfer) -> list[AccountEvent]:
    return []


def no_aggregate(command: Deposit) -> list[AccountEvent]:
    return []


def bare(account, command: Deposit) -> list[AccountEvent]:  # type: ignore[no-untyped-def]  # noqa: ANN001 - wrong on purpose
    return []


def unresolved(account: "Acount", command: Deposit) -> list[AccountEvent]:  # type: ignore[name-defined]  # noqa: F821 - wrong on purpose
    return []


def strange(account: int, command: Deposit) -> list[AccountEvent]:
    return []


def without_id(account: Account, command: Nameless) -> list[AccountEvent]:
    return []


async def awaited(account: Account, command: Deposit) -> list[AccountEvent]:
    return []


def yielding(account: Account, command: Deposit) -> Iterator[AccountEvent]:
    yield Deposited(1)


async def awaited_and_yielding(account: Account, command: Deposit) -> AsyncIterator[AccountEvent]:
    yield Deposited(1)


def by_place(account: Account, command: Deposit, /) -> list[AccountEvent]:
    return []


def with_a_star(*accounts: Account, command: Deposit) -> list[AccountEvent]:
    return []


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_command, "expected one parameter annotated with a Command class, got 0"),
        (two_commands, "expected one parameter annotated with a Command class, got 2"),
        (no_aggregate, "at least one parameter annotated with an Aggregate class, got none"),
        (bare, "annotate account with the Aggregate or Command class"),
        (unresolved, "an annotation cannot be resolved: name 'Acount' is not defined"),
        (strange, "parameter account: expected an Aggregate or Command class, got <class 'int'>"),
        (without_id, "Nameless has no field 'account_id' to name the stream of Account .it has number."),
        (awaited, "a decision is a plain function"),
        (yielding, "a decision is a plain function"),
        (awaited_and_yielding, "a decision is a plain function"),
        (by_place, "account, command: a decision is called by name; drop `/`"),
        (with_a_star, "accounts: a decision is called by name"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_inferred_is_an_error_when_the_function_is_defined(function: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        handles(function)
    assert str(caught.value).startswith(f"handler {function.__name__}: ")


def over_two(source: Account, target: Account, command: Transfer) -> Any:
    return []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "Transfer has no field 'account_id'"),
        ({"stream": "source_id"}, "stream= names one stream, but there are source, target; use streams="),
        ({"streams": {"source": "source_id", "sink": "target_id"}}, "streams=: expected parameter names, got sink"),
        ({"streams": {"source": "from_id"}}, "Transfer has no field 'from_id'"),
        ({"streams": {"source": 5}}, "expected a field or a function to name a stream, got 5"),
        ({"query": lambda _command: Query.of(Deposited)}, "a decision over a query takes one aggregate"),
        ({"initial": lambda _command: Account(1)}, "initial= goes with query="),
    ],
)
def test_what_is_declared_wrongly_is_an_error_when_the_function_is_defined(
    declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        handles(**declared)(over_two)


def test_a_stream_that_is_named_twice_is_an_error_when_the_function_is_defined() -> None:
    def by_id(account: Account, command: Deposit) -> list[AccountEvent]:
        return []

    with pytest.raises(DefinitionError, match="expected stream= or streams=, got both"):
        handles(stream="account_id", streams={"account": "account_id"})(by_id)


@pytest.mark.parametrize("given", ["account_id", partial(no_aggregate)], ids=["text", "partial"])
def test_something_else_than_a_function_is_an_error_that_says_how_options_are_given(given: Any) -> None:
    with pytest.raises(DefinitionError, match=r"@handles: expected a function, got .*; options have names"):
        handles(given)


def test_two_handlers_of_one_command_are_an_error() -> None:
    @handles
    def other(account: Account, command: Deposit) -> list[AccountEvent]:
        return []

    with pytest.raises(DefinitionError, match="Deposit is handled by deposit and by other; keep one"):
        HandlerMap([deposit, withdraw, other])


def test_a_function_without_the_decorator_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="expected functions under @handles, got <function no_command"):
        HandlerMap([no_command])  # type: ignore[list-item]  # wrong on purpose


def test_the_pauses_between_attempts_are_jittered_under_a_bounded_ceiling() -> None:
    policy = RetryPolicy(attempts=5000, base_seconds=0.002, max_seconds=0.25)
    for attempt, ceiling in ((1, 0.002), (2, 0.004), (7, 0.128), (8, 0.25), (4999, 0.25)):
        pauses = [policy.pause(attempt) for _ in range(200)]
        assert all(0.0 <= pause <= ceiling for pause in pauses)
        assert max(pauses) > ceiling / 2
        assert len(set(pauses)) > 100


@pytest.mark.parametrize(
    "bad", [{"attempts": 0}, {"attempts": True}, {"base_seconds": -1}, {"max_seconds": "1"}, {"max_seconds": 1e9}]
)
def test_a_retry_policy_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=f"RetryPolicy: {next(iter(bad))}: expected"):
        RetryPolicy(**bad)
