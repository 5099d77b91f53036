"""What type checkers know of the public API. Both read this file; nothing runs it."""

from collections.abc import Iterator
from datetime import date
from typing import Any, assert_type

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Blamed,
    Command,
    Difference,
    Event,
    JsonObject,
    Link,
    Loaded,
    Page,
    Projection,
    Receipt,
    Recorded,
    Step,
    Struct,
    handles,
    projection,
    replace,
    upcasts,
)


class Deposited(Event):
    amount: int


class Renamed(Event, event_type="account-renamed", version=2):
    owner: str
    on: date | None = None


AccountEvent = Deposited | Renamed


class Account(Aggregate[AccountEvent]):
    balance: int = 0
    owner: str = ""

    def evolve(self, event: AccountEvent) -> "Account":
        match event:
            case Deposited(amount):
                assert_type(amount, int)
                return replace(self, balance=self.balance + amount)
            case Renamed(owner, on):
                assert_type(owner, str)
                assert_type(on, date | None)
                return replace(self, owner=owner)


class Deposit(Command):
    account_id: str
    amount: int


class Move(Command):
    source_id: str
    target_id: str


class Balance(Struct, frozen=True):
    account_id: str
    amount: int = 0


@handles
def deposit(account: Account, command: Deposit) -> list[AccountEvent]:
    return [Deposited(command.amount)]


@handles(streams={"source": "source_id", "target": lambda command: f"account-{command.target_id}"})
def move(source: Account, target: Account, command: Move) -> dict[str, list[AccountEvent]]:
    return {"source": [], "target": [Deposited(source.balance)]}


@projection("balances")
def balances(row: Balance | None, recorded: Recorded[Deposited]) -> Balance | None:
    assert_type(recorded.event, Deposited)
    row = row or Balance(recorded.stream_id)
    return replace(row, amount=row.amount + recorded.event.amount)


@projection("monthly", key=lambda recorded: f"{recorded.occurred_at:%Y-%m}")
def monthly(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance:
    assert_type(recorded.event, AccountEvent)
    return row or Balance("")


def amount_of(recorded: Recorded[Deposited]) -> int:
    return recorded.event.amount


@projection("by_amount", key=amount_of)
def by_amount(row: Balance | None, recorded: Recorded[Deposited]) -> Balance | None:
    return row


@projection("parties", key=lambda recorded: [recorded.stream_id, recorded.type])
def parties(row: Balance | None, recorded: Recorded[AccountEvent], party: str) -> Balance:
    assert_type(recorded.event, AccountEvent)
    return row or Balance(party)


def events_commands_and_states() -> None:
    assert_type(Deposited(1).amount, int)
    assert_type(Deposited(amount=1), Deposited)
    assert_type(replace(Deposited(1), amount=2), Deposited)
    assert_type(Deposit("a-1", 1).account_id, str)
    assert_type(Account().evolve(Deposited(1)), Account)


def a_decision_keeps_its_types() -> None:
    assert_type(deposit(Account(), Deposit("a-1", 1)), list[AccountEvent])
    assert_type(deposit(account=Account(), command=Deposit("a-1", 1)), list[AccountEvent])
    assert_type(move(Account(), Account(), Move("a", "b")), dict[str, list[AccountEvent]])


def a_projection_keeps_its_types(recorded: Recorded[Deposited]) -> None:
    assert_type(balances, Projection[Balance])
    assert_type(monthly, Projection[Balance])
    assert_type(by_amount, Projection[Balance])
    assert_type(parties, Projection[Balance])
    assert_type(balances(None, recorded), Balance | None)


def an_application(app: Application) -> None:
    receipt = app.dispatch(Deposit("a-1", 1))
    assert_type(receipt, Receipt)
    assert_type(receipt.token, str)
    assert_type(receipt.version, int)
    assert_type(app.load(Account, "a-1"), Account)
    assert_type(app.load_with_version(Account, "a-1"), Loaded[Account])
    assert_type(app.load_with_version(Account, "a-1", at_version=1).state.balance, int)
    for step in app.history(Account, "a-1", at_version=1):
        assert_type(step, Step[Account])
        assert_type(step.state.balance, int)
        assert_type(step.changes, tuple[Difference, ...])
    assert_type(app.blame(Account, "a-1"), list[Blamed])
    assert_type(app.bisect(Account, "a-1", "state.balance < 0"), Step[Account] | None)
    assert_type(app.bisect(Account, "a-1", lambda account: account.balance < 0), Step[Account] | None)
    assert_type(app.effects("019ad5c2-3e5f-7c1a-8b3e-0a4f5b6c7d8e"), list[Link])
    query = app.query(Balance)
    assert_type(query.get("a-1", after=receipt.token), Balance | None)
    assert_type(query.where(amount__gt=1).order_by("-amount").limit(3).all(), list[Balance])
    assert_type(query.first(), Balance | None)
    assert_type(query.count(), int)
    assert_type(query.page(size=10), Page[Balance])
    assert_type(query.page().items, list[Balance])
    assert_type(query.page().next, str | None)
    assert_type([row.amount for row in query], list[int])


async def an_async_application(app: AsyncApplication) -> None:
    assert_type(await app.dispatch(Deposit("a-1", 1)), Receipt)
    assert_type(await app.load(Account, "a-1"), Account)
    assert_type(await app.load_with_version(Account, "a-1"), Loaded[Account])
    async for step in app.history(Account, "a-1"):
        assert_type(step, Step[Account])
    assert_type(await app.bisect(Account, "a-1", lambda account: account.balance < 0), Step[Account] | None)
    assert_type(await app.query(Balance).get("a-1"), Balance | None)
    assert_type(await app.query(Balance).where(amount=1).all(), list[Balance])
    assert_type(await app.query(Balance).count(), int)
    assert_type(await app.query(Balance).page(), Page[Balance])


def the_log(app: Application) -> None:
    for recorded in app.store.read_stream("account-a-1"):
        assert_type(recorded, Recorded[Any])
        assert_type(recorded.position, int)


@upcasts("Priced", 1)
def in_cents(data: JsonObject) -> JsonObject:
    return {"cents": data["euros"] * 100}


@upcasts("Priced", 2, into={"Priced": 3})
def one_each(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield "Priced", data


class Priced(Event, version=3, aliases=["PriceSet"], upcasters=[in_cents, one_each]):
    cents: int


def upcasters_are_functions(recorded: Recorded[Priced]) -> None:
    assert_type(in_cents({"euros": 1}), JsonObject)
    assert_type(Priced(1), Priced)
    assert_type(recorded.sub_index, int)
