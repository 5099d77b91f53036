"""The models, events and folds that the cases of the contract use."""

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from eventstore import Event, Recorded
from projections.projection import projection


class Colour(enum.StrEnum):
    """An enum of texts."""

    RED = "red"
    BLUE = "blue"


class Part(Struct, frozen=True):
    """A nested value."""

    name: str
    tags: list[str] = field(default_factory=list)


class Thing(Struct, frozen=True):
    """A row with a field of every kind that a query compares."""

    key: str
    number: int | None = 0
    text: str = ""
    price: Decimal = Decimal(0)
    at: datetime | None = None
    colour: Colour = Colour.RED


class Everything(Struct, frozen=True):
    """A row with a field of every type that a target stores."""

    key: str
    text: str = "é\u2028🎈'\"%s\\"
    order: int = -(2**63)
    camelCase: float = 0.1  # noqa: N815 - a mixed-case name is a name too
    flag: bool = True
    day: date = date(1, 2, 3)
    at: datetime = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    price: Decimal = Decimal("12345678901234567890.10")
    ident: UUID = UUID(int=7)
    blob: bytes = b"\x00\xff"
    colour: Colour = Colour.BLUE
    part: Part | None = field(default_factory=lambda: Part("p", ["a"]))
    parts: list[Part] = field(default_factory=lambda: [Part("x")])
    counts: dict[str, int] = field(default_factory=lambda: {"b": 1, "a": 2})
    nothing: str | None = None


class Added(Event, event_type="contract-thing-added"):
    """Adds to a row's number."""

    number: int


class Removed(Event, event_type="contract-thing-removed"):
    """Deletes a row."""


EVENTS = (Added, Removed)


@projection("things")
def things(row: Thing | None, recorded: Recorded[Added | Removed]) -> Thing | None:
    """A row for each stream: the sum of what was added since it was removed last."""
    match recorded.event:
        case Removed():
            return None
        case Added(number):
            row = row or Thing(recorded.stream_id)
            return replace(row, number=(row.number or 0) + number)
