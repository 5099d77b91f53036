"""What a copy makes of each event: nothing, the same, another one, or several."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from eventstore.backend import Row
from eventstore.encoding import problem_in
from eventstore.errors import InvalidInput
from eventstore.event import MAX_TYPE_LENGTH
from eventstore.identifier import check_event_id
from eventstore.query import check_tags
from eventstore.recorded import to_datetime
from eventstore.stream import check_stream_name

TypeName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE_LENGTH)]
SchemaVersion: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
MessageId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]

Stored: TypeAlias = tuple[int, str, int, str, int | None, str | None, str | None, str | None, str | None, str]
"""A row without position, stream and version, which are counted anew."""


class CopiedEvent(msgspec.Struct, frozen=True):
    """An event as it is stored, for a transform to look at, to change with `replace`, and to return.

    Attributes:
        stream: the stream's name.
        type: the stable name of its type.
        schema: its schema version.
        data: its fields, as JSON has them.
        event_id: a UUID as text; of several events made of one, the copy gives new ids to all but the first.
        recorded_us: when the store recorded it, in microseconds since 1970 UTC.
        occurred_us: the business time, if one was given.
        correlation_id: the conversation that it belongs to.
        causation_id: the message that caused it.
        metadata: what is stored beside it.
        tags: its tags.
        position: in the source; the copy gives a new one.
        version: in the source; the copy counts anew.
    """

    stream: str
    type: TypeName
    schema: SchemaVersion
    data: dict[str, Any]
    event_id: str
    recorded_us: int
    occurred_us: int | None
    correlation_id: MessageId | None
    causation_id: MessageId | None
    metadata: dict[str, Any] | None
    tags: tuple[str, ...]
    position: int
    version: int


Transform: TypeAlias = Callable[[CopiedEvent], CopiedEvent | Iterable[CopiedEvent] | None]
"""A pure function: an interrupted copy calls it again, and the proof at the end calls it a second time."""


class Transformer:
    """Makes the target's rows of the source's, and counts positions and versions anew.

    Args:
        transform: what becomes of each event.
        position: the target's last position.
        versions: of the target's streams.
    """

    def __init__(self, transform: Transform, position: int = 0, versions: dict[str, int] | None = None) -> None:
        self._transform = transform
        self._position = position
        self._versions = versions if versions is not None else {}

    def rows(self, source: Sequence[Row]) -> tuple[list[Row], list[tuple[int, int]]]:
        """The target's rows, and where each position of the source went: the target's last position up to there.

        Raises:
            InvalidInput: the transform failed, or returned what cannot be stored; the message names the event.
        """
        made: list[Row] = []
        positions: list[tuple[int, int]] = []
        for row in source:
            for stream, stored in self._apply(row):
                self._position += 1
                version = self._versions.get(stream, 0) + 1
                self._versions[stream] = version
                made.append((self._position, stream, version, *stored))
            positions.append((row[0], self._position))
        return made, positions

    def _apply(self, row: Row) -> list[tuple[str, Stored]]:
        where = f"transform: event {row[4]!r} at position {row[0]} (stream {row[1]!r} version {row[2]})"
        try:
            result = self._transform(_event(row))
            events = [] if result is None else [result] if isinstance(result, CopiedEvent) else list(result)
            checked = [_checked(event, row[6], i) for i, event in enumerate(events)]
            return [(event.stream, _stored(event)) for event in checked]
        except Exception as error:
            kind = "" if isinstance(error, InvalidInput | msgspec.ValidationError) else f"{type(error).__name__}: "
            raise InvalidInput(f"{where}: {kind}{error}; mend it and run the copy again") from error


def _event(row: Row) -> CopiedEvent:
    position, stream, version, recorded, name, schema, event_id, occurred, corr, caus, meta, tags, data = row
    return CopiedEvent(
        stream,
        name,
        schema,
        msgspec.json.decode(data),
        event_id,
        recorded,
        occurred,
        corr,
        caus,
        None if meta is None else msgspec.json.decode(meta),
        () if tags is None else msgspec.json.decode(tags, type=tuple[str, ...]),
        position,
        version,
    )


def _checked(event: Any, source_id: str, number: int) -> CopiedEvent:
    """The event, if an append could have stored it."""
    if not isinstance(event, CopiedEvent):
        raise InvalidInput(f"expected a CopiedEvent, several of them or None, got {event!r}")
    check_stream_name(event.stream, system=True)
    tags, own = check_tags(event.tags), event.event_id
    if number and own == source_id:  # the same in every run, so that a repeated run makes the same copy
        own = str(uuid.uuid5(uuid.UUID(source_id), str(number)))
    fields = msgspec.structs.asdict(event) | {"event_id": check_event_id(own), "tags": tags}
    made = msgspec.convert(fields, CopiedEvent)
    for field in ("type", "correlation_id", "causation_id"):
        text = getattr(made, field)
        if text is not None and not text.isprintable():
            raise InvalidInput(f"{field}: expected printable text, got {text!r}")
    for field in ("data", "metadata"):
        if problem := problem_in(getattr(made, field)):
            raise InvalidInput(f"{field}: {problem}")
    for instant in (made.recorded_us, made.occurred_us):
        to_datetime(instant or 0)  # one that no datetime can say could not be read again
    return made


def _stored(event: CopiedEvent) -> Stored:
    return (
        event.recorded_us,
        event.type,
        event.schema,
        event.event_id,
        event.occurred_us,
        event.correlation_id,
        event.causation_id,
        msgspec.json.encode(event.metadata).decode() if event.metadata else None,
        msgspec.json.encode(event.tags).decode() if event.tags else None,
        msgspec.json.encode(event.data).decode(),
    )
