"""A small bank for the tests of the write side, with a hook for a second writer between load and append."""

from collections.abc import Callable
from typing import Annotated

from eventfold import Aggregate, Command, Event, Meta, Query, Rejected, Tag, handles, replace


class Deposited(Event):
    amount: int


class Withdrawn(Event):
    amount: int


AccountEvent = Deposited | Withdrawn


class Account(Aggregate[AccountEvent]):
    balance: int = 0

    def evolve(self, event: AccountEvent) -> "Account":
        match event:
            case Deposited(amount):
                return replace(self, balance=self.balance + amount)
            case Withdrawn(amount):
                return replace(self, balance=self.balance - amount)


class Deposit(Command):
    account_id: str
    amount: Annotated[int, Meta(gt=0)]


class Withdraw(Command):
    account_id: str
    amount: Annotated[int, Meta(gt=0)]


class Look(Command):
    account_id: str


class Transfer(Command):
    source_id: str
    target_id: str
    amount: Annotated[int, Meta(gt=0)]


BETWEEN: list[Callable[[], object]] = []
"""What somebody else does after the decision's streams were loaded and before it appends; the last one first."""


def somebody_else() -> None:
    if BETWEEN:
        BETWEEN.pop()()


@handles
def deposit(account: Account, command: Deposit) -> list[AccountEvent]:
    somebody_else()
    return [Deposited(command.amount)]


@handles
def withdraw(account: Account, command: Withdraw) -> list[AccountEvent]:
    somebody_else()
    if command.amount > account.balance:
        raise Rejected(f"cannot withdraw {command.amount}: balance is {account.balance}")
    return [Withdrawn(command.amount)]


@handles
def look(account: Account, command: Look) -> list[AccountEvent]:
    return []


@handles(streams={"source": "source_id", "target": "target_id"})
def transfer(source: Account, target: Account, command: Transfer) -> dict[str, list[AccountEvent]]:
    somebody_else()
    if command.amount > source.balance:
        raise Rejected(f"balance is {source.balance}")
    return {"source": [Withdrawn(command.amount)], "target": [Deposited(command.amount)]}


class Subscribed(Event):
    student_id: Annotated[str, Tag("student")]
    course_id: Annotated[str, Tag("course")]


class Seats(Aggregate[Subscribed]):
    taken: int = 0

    def evolve(self, event: Subscribed) -> "Seats":
        return replace(self, taken=self.taken + 1)


class Subscribe(Command):
    student_id: str
    course_id: str


def seats_of(command: Subscribe) -> Query:
    return Query.of(Subscribed, tags=[f"course:{command.course_id}"])


@handles(query=seats_of, stream=lambda command: f"student-{command.student_id}")
def subscribe(seats: Seats, command: Subscribe) -> list[Subscribed]:
    somebody_else()
    if seats.taken >= 2:
        raise Rejected(f"course {command.course_id} is full")
    return [Subscribed(command.student_id, command.course_id)]


class LookAtSeats(Command):
    student_id: str
    course_id: str


@handles(
    query=lambda command: Query.of(Subscribed, tags=[f"course:{command.course_id}"]),
    stream=lambda command: f"student-{command.student_id}",
)
def look_at_seats(seats: Seats, command: LookAtSeats) -> list[Subscribed]:
    return []


HANDLERS = [deposit, withdraw, look, transfer, subscribe, look_at_seats]
