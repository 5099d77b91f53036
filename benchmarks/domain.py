"""What the benchmarks store: movements of accounts, and subscriptions to courses. The floors fold with the same functions."""

import itertools
import random
from collections.abc import Iterator
from typing import Annotated, Literal

from eventfold import Aggregate, Application, Command, Event, Meta, Recorded, SqlTable, Struct, Tag, handles, projection
from projections import BoundProjection


class Deposited(Event):
    amount: int
    reference: str


class Withdrawn(Event):
    amount: int
    reference: str


AccountEvent = Deposited | Withdrawn


class Account(Aggregate[AccountEvent]):
    balance: int = 0
    movements: int = 0

    def evolve(self, event: AccountEvent) -> "Account":
        match event:
            case Deposited(amount):
                return Account(self.balance + amount, self.movements + 1)
            case Withdrawn(amount):
                return Account(self.balance - amount, self.movements + 1)


class Deposit(Command):
    account_id: str
    amount: Annotated[int, Meta(gt=0)]


@handles
def deposit(account: Account, command: Deposit) -> list[AccountEvent]:
    return [Deposited(command.amount, f"movement {account.movements + 1}")]


class Balance(Struct, frozen=True):
    account_id: str
    amount: int = 0
    movements: int = 0


def fold_balance(row: Balance | None, account_id: str, event: AccountEvent) -> Balance:
    amount, movements = (0, 0) if row is None else (row.amount, row.movements)
    match event:
        case Deposited(added):
            return Balance(account_id, amount + added, movements + 1)
        case Withdrawn(taken):
            return Balance(account_id, amount - taken, movements + 1)


@projection("balances")
def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance:
    return fold_balance(row, recorded.stream_id, recorded.event)


class Subscribed(Event):
    student_id: Annotated[str, Tag("student")]
    course_id: Annotated[str, Tag("course")]
    term: Annotated[str, Tag("term")]


def tags_of(event: Event) -> tuple[str, ...]:
    """As one would write it by hand."""
    if isinstance(event, Subscribed):
        return f"student:{event.student_id}", f"course:{event.course_id}", f"term:{event.term}"
    return ()


EVENTS = (Deposited, Withdrawn, Subscribed)
LARGE_STREAM = "account-large"
"""Has a thousand events, evenly scattered over the log."""


def account_events(count: int) -> Iterator[tuple[str, int, AccountEvent]]:
    """A log of accounts that are used at random: streams, versions and events."""
    chance = random.Random(7)
    accounts, every = max(2, count // 100), max(2, count // 1000)
    versions: dict[str, int] = {}
    for n in range(count):
        stream = LARGE_STREAM if n % every == 0 else f"account-{chance.randrange(accounts)}"
        versions[stream] = version = versions.get(stream, 0) + 1
        kind = Withdrawn if n % 3 == 0 else Deposited
        yield stream, version, kind(chance.randrange(1, 100_000), f"movement {n} of the day")


COURSES = 1000


def subscriptions(count: int) -> Iterator[tuple[str, int, Subscribed]]:
    """A log with three tags an event: ten for each student, many for each course, a tenth of all for each term."""
    students = max(1, count // 10)
    for n in range(count):
        student, turn = n % students, n // students
        event = Subscribed(str(student), str((student + 2 * turn) % COURSES), str(n % 10))
        yield f"subscription-{n}", 1, event


def new_subscriptions(count: int, part: int = 0) -> Iterator[tuple[str, Subscribed]]:
    """Subscriptions of the same students to the same courses that are not in the log of `subscriptions`.

    A part begins 30 courses further on than the one before it, so that parts are different for as many turns.
    """
    students = max(1, count // 10)
    for n in itertools.count():
        student, turn = n * 7919 % students, n // students
        event = Subscribed(str(student), str((student + 1 + 2 * (30 * part + turn)) % COURSES), str(n % 10))
        yield f"subscription-new-{part}-{n}", event


def bound(consistency: Literal["async", "inline"] = "async") -> BoundProjection[Balance]:
    return balances.into(SqlTable("balances"), consistency=consistency)


def application(url: str, consistency: Literal["async", "inline"] = "async") -> Application:
    return Application(url, handlers=[deposit], projections=[bound(consistency)], events=EVENTS, migrate=True)
