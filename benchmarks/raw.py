"""The floors' side: what one would write by hand, once and for this purpose only, with the driver alone.

The rows are those that the framework stores, in its own tables with its own indexes. Everything that can be left out is:
no validation, no errors, no envelope, no result that nobody asked for.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from benchmarks.domain import EVENTS, AccountEvent, Balance, tags_of
from eventfold import Event

PAGE = 1000
"""Rows fetched at once when reading."""

COLUMNS = (
    "position, stream, version, recorded_at, type, schema_version, event_id, occurred_at, correlation_id, causation_id, "
    "metadata, tags, payload"
)

encode = msgspec.json.Encoder().encode
decoders: dict[str, Callable[[str], Any]] = {cls.__name__: msgspec.json.Decoder(cls).decode for cls in EVENTS}


class NewRow(NamedTuple):
    """What differs from one stored event to the next."""

    stream: str
    version: int
    recorded_at: int
    type: str
    event_id: str
    tags: str | None
    payload: str


def _ids() -> Iterator[str]:
    """UUIDs of version 7 that count up from one random start."""
    time_hex, random_hex = f"{time.time_ns() // 1_000_000:012x}", os.urandom(4).hex()
    prefix = f"{time_hex[:8]}-{time_hex[8:]}-7{random_hex[:3]}-8{random_hex[3:6]}-"
    return (f"{prefix}{n:012x}" for n in itertools.count())


next_id = _ids().__next__


def new_row(stream: str, version: int, event: Event) -> NewRow:
    tags = tags_of(event)
    return NewRow(
        stream,
        version,
        time.time_ns() // 1000,
        type(event).__name__,
        next_id(),
        encode(tags).decode() if tags else None,
        encode(event).decode(),
    )


def new_rows(stream: str, version: int, events: Sequence[Event]) -> list[NewRow]:
    """Rows of events without tags that are stored together."""
    now = time.time_ns() // 1000
    return [
        NewRow(stream, version + i, now, type(event).__name__, next_id(), None, encode(event).decode())
        for i, event in enumerate(events)
    ]


class Guarded(NamedTuple):
    """An append of one event that is refused if an event after a position matches.

    Attributes:
        row: what is stored.
        tags: of the row.
        guard: two tags.
        together: whether an event matches that has both, or one that has either.
        after: the position.
    """

    row: NewRow
    tags: tuple[str, ...]
    guard: tuple[str, str]
    together: bool
    after: int


class RawLog(Protocol):
    """The driver on one database."""

    def append_one(self, stream: str, version: int, event: Event) -> None:
        """Stores one event in a transaction of its own; the index over (stream, version) refuses a conflict."""

    def append_rows(self, rows: Sequence[NewRow]) -> None:
        """Stores rows in one transaction."""

    def append_whole(self, rows: Sequence[Any]) -> None:
        """Stores whole rows without tags, as `page` gives them, in one transaction."""

    def append_guarded(self, append: Guarded) -> int:
        """Stores one event under a condition, correct among any number of writers; its position."""

    def page(self, after: int, limit: int) -> list[Any]:
        """Whole rows after a position."""

    def payloads(self, stream: str, after: int = 0) -> list[tuple[str, str]]:
        """Types and payloads of a stream, after a version."""

    def snapshot(self, stream: str) -> tuple[int, str]:
        """The newest snapshot of a stream: its version and state."""

    def seed(self, events: Iterable[tuple[str, int, Event]]) -> None:
        """Fills an empty log, as fast as it goes."""

    def make_guarded(self) -> None:
        """Whatever `append_guarded` needs in the database."""

    def make_balances(self, like: str) -> None:
        """A new and empty table for rows, like the one named, and a checkpoint at 0."""

    def balances(self, keys: Sequence[str]) -> dict[str, Balance]:
        """Those rows that exist."""

    def store_balances(self, rows: Sequence[Balance], position: int) -> None:
        """Stores rows and checkpoint in one transaction."""

    def append_folded(self, stream: str, version: int, event: AccountEvent) -> None:
        """Stores one event, and its row and the checkpoint in the same transaction."""

    def all(self, table: str) -> list[Any]:
        """A table's contents, to prove that the same was stored."""

    def close(self) -> None:
        """Closes the connection."""


def read_all(log: RawLog) -> Iterator[Event]:
    """Every event of a log."""
    position = 0
    while rows := log.page(position, PAGE):
        for row in rows:
            yield decoders[row[4]](row[12])
        position = rows[-1][0]


def movements(log: RawLog, after: int, limit: int) -> tuple[list[tuple[str, AccountEvent]], int]:
    """Accounts and events of a page, and where it ends."""
    rows = log.page(after, limit)
    return [(row[1][8:], decoders[row[4]](row[12])) for row in rows], rows[-1][0] if rows else after
