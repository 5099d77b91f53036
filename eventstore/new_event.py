"""An event that is to be appended, with what travels beside it."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from eventstore.expected import ANY, ExpectedVersion

E = TypeVar("E", covariant=True)


class NewEvent(msgspec.Struct, Generic[E], frozen=True):
    """Wraps an event where it needs more than its fields. A plain event can be appended as it is.

    Attributes:
        event: the event.
        event_id: a UUID of the caller's, which makes repeating the append harmless; by default the store makes one.
        occurred_at: when it happened in the business, with a time zone.
        tags: in addition to those of the event's `Tag` fields.
        metadata: a JSON object of the caller's.
        correlation_id: the conversation that it belongs to.
        causation_id: the message that caused it.
    """

    event: E
    event_id: str | uuid.UUID | None = None
    occurred_at: datetime | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


class StreamAppend(msgspec.Struct, frozen=True):
    """One stream's part in an append over several streams.

    Attributes:
        stream: the stream's name.
        events: plain or as `NewEvent`. Without any, the stream is guarded: the append is refused unless it is at the expected
            version, and nothing is written to it.
        expected: the version that the stream must be at.
    """

    stream: str
    events: Sequence[Any]
    expected: ExpectedVersion = ANY


class Appended(msgspec.Struct, frozen=True):
    """What an append stored.

    Attributes:
        position: the last event's position in the log.
        versions: for every stream written, its version after the append.
        event_ids: the ids of the events, in the order given.
    """

    position: int
    versions: dict[str, int]
    event_ids: tuple[str, ...]
