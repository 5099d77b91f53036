"""An account: what can happen to it, what it is, and what may be done with it. Amounts are cents."""

from typing import Annotated, assert_never

from eventfold import Aggregate, Command, Event, Meta, Rejected, handles, replace

Cents = Annotated[int, Meta(gt=0)]


# -- events: what happened ---------------------------------------------------------------------------------------------


class Opened(Event):
    owner: str


class Deposited(Event):
    amount: int


class Withdrawn(Event):
    amount: int


AccountEvent = Opened | Deposited | Withdrawn


# -- the aggregate: what an account is, folded from its events ---------------------------------------------------------


class Account(Aggregate[AccountEvent]):
    owner: str | None = None
    balance: int = 0

    def evolve(self, event: AccountEvent) -> "Account":
        match event:
            case Opened(owner):
                return replace(self, owner=owner)
            case Deposited(amount):
                return replace(self, balance=self.balance + amount)
            case Withdrawn(amount):
                return replace(self, balance=self.balance - amount)
            case _:
                assert_never(event)


# -- commands: what somebody wants -------------------------------------------------------------------------------------


class Open(Command):
    account_id: str
    owner: Annotated[str, Meta(min_length=1)]


class Deposit(Command):
    account_id: str
    amount: Cents


class Withdraw(Command):
    account_id: str
    amount: Cents


class Transfer(Command):
    source_id: str
    target_id: str
    amount: Cents


# -- decisions: from a state and a command to events -------------------------------------------------------------------


@handles
def open_account(account: Account, command: Open) -> list[AccountEvent]:
    if account.owner is not None:
        raise Rejected(f"account {command.account_id} is open already; it belongs to {account.owner}")
    return [Opened(command.owner)]


@handles
def deposit(account: Account, command: Deposit) -> list[AccountEvent]:
    _require_open(account, command.account_id)
    return [Deposited(command.amount)]


@handles
def withdraw(account: Account, command: Withdraw) -> list[AccountEvent]:
    _require_open(account, command.account_id)
    _require_balance(account, command.amount)
    return [Withdrawn(command.amount)]


@handles(streams={"source": "source_id", "target": "target_id"})
def transfer(source: Account, target: Account, command: Transfer) -> dict[str, list[AccountEvent]]:
    """Writes both streams in one transaction: the money is never in neither account, and never in both."""
    if command.source_id == command.target_id:
        raise Rejected(f"cannot transfer from {command.source_id} to itself; name two accounts")
    _require_open(source, command.source_id)
    _require_open(target, command.target_id)
    _require_balance(source, command.amount)
    return {"source": [Withdrawn(command.amount)], "target": [Deposited(command.amount)]}


def _require_open(account: Account, account_id: str) -> None:
    if account.owner is None:
        raise Rejected(f"account {account_id} is not open")


def _require_balance(account: Account, amount: int) -> None:
    if amount > account.balance:
        raise Rejected(f"cannot take {amount}: the balance is {account.balance}")
