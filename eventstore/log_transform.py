"""What a copy makes of each event: nothing, the same, another one, or several."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from eventstore.backend import Row
from eventstore.encoding import check_depth, problem_in, unencodable
from eventstore.errors import InvalidInput
from eventstore.identifier import check_event_id
from eventstore.preparation import check_message_id
from eventstore.query import check_tags, type_name
from eventstore.recorded import to_microseconds
from eventstore.stream import check_stream_name

MAX_SCHEMA = (1 << 31) - 1
"""The largest schema version that every database holds."""

FIRST_US = to_microseconds(datetime.min.replace(tzinfo=UTC))
LAST_US = to_microseconds(datetime.max.replace(tzinfo=UTC))


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
    type: str
    schema: int
    data: dict[str, Any]
    event_id: str
    recorded_us: int
    occurred_us: int | None
    correlation_id: str | None
    causation_id: str | None
    metadata: dict[str, Any] | None
    tags: tuple[str, ...]
    position: int
    version: int


class _Part(NamedTuple):
    """An event as it is stored: its stream, and what follows its version in a row."""

    stream: str
    rest: tuple[Any, ...]


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
        ids: set[str] = set()
        for row in source:
            for event in self._apply(row, ids):
                self._position += 1
                version = self._versions.get(event.stream, 0) + 1
                self._versions[event.stream] = version
                made.append((self._position, event.stream, version, *event.rest))
            positions.append((row[0], self._position))
        return made, positions

    def _apply(self, row: Row, ids: set[str]) -> list["_Part"]:
        where = f"transform: event {row[4]!r} at position {row[0]} (stream {row[1]!r} version {row[2]})"
        try:
            result = self._transform(_event(row))
            events = [] if result is None else [result] if isinstance(result, CopiedEvent) else list(result)
            return [_part(event, row[6], i, ids) for i, event in enumerate(events)]
        except Exception as error:
            kind = "" if isinstance(error, InvalidInput) else f"{type(error).__name__}: "
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


def _part(event: Any, source_id: str, number: int, ids: set[str]) -> _Part:
    """What an event is stored as.

    Raises:
        InvalidInput: it cannot be.
    """
    if not isinstance(event, CopiedEvent):
        raise InvalidInput(f"expected a CopiedEvent, several of them or None, got {event!r}")
    if not _is_number(event.schema, 1, MAX_SCHEMA):
        raise InvalidInput(f"schema: expected a positive schema version, got {event.schema!r}")
    if not isinstance(event.data, dict):
        raise InvalidInput(f"data: expected a dict of JSON values, got {event.data!r}")
    if event.metadata is not None and not isinstance(event.metadata, dict):
        raise InvalidInput(f"metadata: expected a dict of JSON values, or None, got {event.metadata!r}")
    tags = check_tags(event.tags)
    return _Part(
        check_stream_name(event.stream, system=True),
        (
            _instant("recorded_us", event.recorded_us),
            type_name(event.type),
            event.schema,
            _own_id(event, source_id, number, ids),
            None if event.occurred_us is None else _instant("occurred_us", event.occurred_us),
            check_message_id("correlation_id", event.correlation_id),
            check_message_id("causation_id", event.causation_id),
            _json("metadata", event.metadata) if event.metadata else None,
            _json("tags", tags) if tags else None,
            _json("data", event.data),
        ),
    )


def _own_id(event: CopiedEvent, source_id: str, number: int, ids: set[str]) -> str:
    own = check_event_id(event.event_id)
    if number and own == source_id:  # the same in every run, so that a repeated run makes the same copy
        own = str(uuid.uuid5(uuid.UUID(source_id), str(number)))
    if own in ids:
        raise InvalidInput(f"event_id: expected one that no other event has, got {own}, which the copy holds already")
    ids.add(own)
    return own


def _is_number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _instant(field: str, value: Any) -> int:
    if not _is_number(value, FIRST_US, LAST_US):
        raise InvalidInput(f"{field}: expected microseconds since 1970, of the years 1 to 9999, got {value!r}")
    return int(value)


def _json(field: str, value: Any) -> str:
    try:
        data = msgspec.json.encode(value)
        text = data.decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"{field}: {unencodable(value, error)}") from error
    check_depth(field, data)
    if problem := problem_in(value):
        raise InvalidInput(f"{field}: {problem}")
    return text
