"""The events and the aggregate that the cases speak of."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec.structs import replace

from eventstore.aggregate import Aggregate
from eventstore.event import Event, Tag


class Deposited(Event):
    """Money came in."""

    amount: int


class Withdrawn(Event):
    """Money went out."""

    amount: int


class Renamed(Event, event_type="account-renamed", version=2):
    """An event with a stored name and a schema version of its own."""

    name: str


AccountEvent: TypeAlias = Deposited | Withdrawn | Renamed


class Account(Aggregate[AccountEvent]):
    """The aggregate of most cases."""

    balance: int = 0
    name: str = ""

    def evolve(self, event: AccountEvent) -> "Account":
        """Adds, subtracts or renames."""
        match event:
            case Deposited(amount):
                return replace(self, balance=self.balance + amount)
            case Withdrawn(amount):
                return replace(self, balance=self.balance - amount)
            case Renamed(name):
                return replace(self, name=name)


class CourseDefined(Event):
    """A course was set up."""

    course_id: Annotated[str, Tag("course")]
    capacity: int


class StudentSubscribed(Event):
    """A student took a seat: tagged with both."""

    student_id: Annotated[str, Tag("student")]
    course_id: Annotated[str, Tag("course")]


class StudentLeft(Event):
    """A student gave a seat back."""

    student_id: Annotated[str, Tag("student")]
    course_id: Annotated[str, Tag("course")]


class UsernameClaimed(Event):
    """Somebody took a username."""

    username: Annotated[str, Tag]


class UsernameReleased(Event):
    """A username is free again."""

    username: Annotated[str, Tag]


class InvoiceCreated(Event):
    """An invoice with a number without gaps."""

    number: int


class Team(Event):
    """An event with a list of tags, and one that may be missing."""

    member_ids: Annotated[tuple[str, ...], Tag("member")]
    lead_id: Annotated[str | None, Tag] = None


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct, frozen=True):
    """A Struct inside an event."""

    street: str
    number: int = 0


class Card(msgspec.Struct, frozen=True, tag=True):
    """One member of a union."""

    digits: str


class Transfer(msgspec.Struct, frozen=True, tag=True):
    """Another member of the union."""

    iban: str


class Everything(Event):
    """A field of every kind that JSON can carry."""

    text: str
    whole: int
    real: float
    flag: bool
    nothing: None
    raw: bytes
    money: Decimal
    moment: datetime
    day: date
    lasting: timedelta
    unique: UUID
    colour: Colour
    address: Address
    payment: Card | Transfer
    pair: tuple[int, str]
    many: tuple[Address, ...]
    words: frozenset[str]
    counts: dict[str, int]
    by_number: dict[int, str]
    anything: Any
    maybe: str | None = None


EVENTS = (
    Deposited,
    Withdrawn,
    Renamed,
    CourseDefined,
    StudentSubscribed,
    StudentLeft,
    UsernameClaimed,
    UsernameReleased,
    InvoiceCreated,
    Team,
    Everything,
)
