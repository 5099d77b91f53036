"""Many commands at once: each on its own, in order where they name the same stream."""

import asyncio
from typing import Any

import pytest

from eventfold import (
    Application,
    AsyncApplication,
    Command,
    Dispatched,
    Event,
    InvalidCommand,
    InvalidInput,
    Rejected,
    handles,
)
from tests.commands.bank import HANDLERS, Account, Deposit, Transfer, Withdraw


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


def sync(app: Application, commands: list[Command], **options: Any) -> list[Dispatched]:
    return app.dispatch_many(commands, **options)


def in_tasks(app: Application, commands: list[Command], **options: Any) -> list[Dispatched]:
    looped = AsyncApplication(app.parts.url, handlers=HANDLERS)
    looped.sync = app
    return asyncio.run(looped.dispatch_many(commands, **options))


@pytest.mark.parametrize("many", [sync, in_tasks])
@pytest.mark.parametrize("parallel", [1, 3, 32])
def test_commands_of_one_stream_are_handled_in_order_and_one_that_fails_fails_alone(
    url: str, many: Any, parallel: int
) -> None:
    commands: list[Command] = []
    for number in range(12):
        name = f"a-{number}"
        commands += [Deposit(name, 5), Withdraw(name, 5), Withdraw(name, 1), Deposit(name, -1), Deposit(name, 3)]
    commands += [Transfer("a-0", f"a-{number}", 1) for number in (1, 2, 3, 4)]

    with Application(url, handlers=HANDLERS, migrate=True) as app:
        found = many(app, commands, parallel=parallel)

        assert [each.command for each in found] == commands
        kinds = [type(each.error) for each in found]
        assert kinds == [type(None), type(None), Rejected, InvalidCommand, type(None)] * 12 + [type(None)] * 3 + [
            Rejected
        ]
        assert [app.load(Account, f"a-{number}").balance for number in (0, 1, 4)] == [0, 4, 3]
        assert found[0].unwrap().version == 1
        with pytest.raises(Rejected):
            found[2].unwrap()


@pytest.mark.parametrize("many", [sync, in_tasks])
def test_keys_make_a_repeated_batch_harmless(url: str, many: Any) -> None:
    commands = [Deposit(f"a-{number % 3}", number + 1) for number in range(9)]
    with Application(url, handlers=HANDLERS, migrate=True) as app:

        def key(command: Deposit) -> str:
            return f"{command.account_id}/{command.amount}"

        first = many(app, commands, idempotency_key=key)
        again = many(app, commands, idempotency_key=key)

        assert [each.unwrap() for each in again] == [each.unwrap() for each in first]
        assert sum(1 for _ in app.store.read_log()) == 9


class Moody(Command):
    account_id: str

    def validate(self) -> list[str]:
        raise KeyError(self.account_id)


@handles
def moody(account: Account, command: Moody) -> list[Event]:
    return []


@pytest.mark.parametrize("many", [sync, in_tasks])
def test_a_command_whose_own_rule_raises_fails_alone(many: Any) -> None:
    with Application("memory://", handlers=[*HANDLERS, moody]) as app:
        found = many(app, [Deposit("a-1", 1), Moody("a-1"), Deposit("a-1", 2)])

        assert [type(each.error) for each in found] == [type(None), KeyError, type(None)]
        assert app.load(Account, "a-1").balance == 3


@pytest.mark.parametrize("parallel", [0, -1, "many"])
def test_a_bad_number_is_refused(parallel: Any) -> None:
    with Application("memory://", handlers=HANDLERS) as app, pytest.raises(InvalidInput, match="parallel"):
        app.dispatch_many([Deposit("a-1", 1)], parallel=parallel)


@pytest.mark.parametrize("many", [sync, in_tasks])
def test_a_key_that_no_function_makes_is_refused_before_anything_is_sent(many: Any) -> None:
    with Application("memory://", handlers=HANDLERS) as app:
        with pytest.raises(InvalidInput, match=r"expected a function from a command to its key.*got 'x'"):
            many(app, [Deposit("a-1", 1)], idempotency_key="x")

        assert app.store.head() == 0
