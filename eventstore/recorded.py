"""The envelope of an event that is in the log."""

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec

from eventstore.stream import category_of, id_of

E = TypeVar("E", covariant=True)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)  # made once: to make it takes longer than to count with it


class Recorded(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """An event as the log holds it, with what the store knows about it.

    Instants, metadata and tags are kept as stored and converted when asked for: reading a long log builds nothing
    that nobody looks at.

    Attributes:
        event: the decoded event.
        position: its place in the whole log, from 1, ascending, not necessarily without gaps.
        stream: the stream's name.
        version: its place in the stream, from 1, without gaps.
        recorded_us: when the store recorded it, in microseconds since 1970 UTC.
        type: the stable name of its type; of an event that was upcast, the name that it has now.
        schema: the schema version of that type.
        event_id: a UUID as text.
        occurred_us: the business time given by the caller, in microseconds since 1970 UTC; None where none was given.
        correlation_id: the conversation that it belongs to.
        causation_id: the message that caused it.
        metadata_json: the metadata, as a JSON object; None where there is none.
        tags_json: the tags, as a JSON array; None where there are none.
        sub_index: its place, from 0, among the events that one stored event was upcast into. They share everything that
            the log knows of it: position, version, event id, tags.
    """

    event: E
    position: int
    stream: str
    version: int
    recorded_us: int
    type: str
    schema: int
    event_id: str
    occurred_us: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata_json: str | None = None
    tags_json: str | None = None
    sub_index: int = 0

    @property
    def recorded_at(self) -> datetime:
        """When the store recorded the event, by the store's clock, in UTC."""
        return to_datetime(self.recorded_us)

    @property
    def occurred_at(self) -> datetime:
        """When the event happened by the caller's account, in UTC; `recorded_at` where the caller gave none."""
        return to_datetime(self.recorded_us if self.occurred_us is None else self.occurred_us)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the caller stored beside the event."""
        return {} if self.metadata_json is None else msgspec.json.decode(self.metadata_json, type=dict[str, Any])

    @property
    def tags(self) -> tuple[str, ...]:
        """The event's tags."""
        return () if self.tags_json is None else msgspec.json.decode(self.tags_json, type=tuple[str, ...])

    @property
    def category(self) -> str:
        """What stands before the first dash of the stream's name."""
        return category_of(self.stream)

    @property
    def stream_id(self) -> str:
        """What stands after the first dash of the stream's name."""
        return id_of(self.stream)


class UnknownEvent(msgspec.Struct, frozen=True):
    """Stands in for an event whose type the reader does not declare, so that nothing is hidden.

    Attributes:
        type: the stored type name.
        schema: the stored schema version.
        data: the stored fields.
    """

    type: str
    schema: int
    data: Any


def to_datetime(microseconds: int) -> datetime:
    """Microseconds since 1970 as an aware datetime in UTC, exactly."""
    return _EPOCH + microseconds * _MICROSECOND


def to_microseconds(instant: datetime) -> int:
    """An aware datetime as microseconds since 1970, exactly.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"expected a datetime with a time zone, got {instant.isoformat()}")
    return (instant - _EPOCH) // _MICROSECOND
