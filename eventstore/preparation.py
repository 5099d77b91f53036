"""Validates and encodes an append: whatever is wrong is found here, before the database is touched."""

from collections.abc import Sequence
from typing import Any

import msgspec

from eventstore.backend import PreparedRow, StreamWrite, WriteRequest
from eventstore.encoding import ESCAPED_NUL, check_depth, encode, form_of, forms, problem_in, unencodable
from eventstore.errors import InvalidEvent, InvalidInput, shown
from eventstore.event import Event, tags_of
from eventstore.expected import ANY, ExpectedVersion, check_expected
from eventstore.identifier import canonical_id, check_event_id, new_id, new_ids
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, check_condition, check_tags
from eventstore.recorded import to_datetime, to_microseconds
from eventstore.stream import check_stream_name

MAX_EVENTS = 10_000
MAX_ID_LENGTH = 255


def prepare(
    appends: Sequence[StreamAppend],
    condition: AppendCondition | None,
    *,
    max_payload: int,
    system: bool = False,
) -> WriteRequest:
    """The append as the backend takes it.

    Raises:
        InvalidInput: or one of its kinds, naming the field, what was expected and what was given.
    """
    if type(appends) is not list and not isinstance(appends, Sequence):
        raise InvalidInput(f"append: expected a list of StreamAppend, got {appends!r}")
    for each in appends:
        _check_append(each, system=system)
    if len(appends) != 1:
        check_together(appends)
    own_ids = False
    writes = []
    for each in appends:
        write, chosen = _prepare_stream(each, max_payload)
        own_ids = own_ids or chosen
        writes.append(write)
    if len(writes) > 1:
        writes.sort(key=_is_guard)
    if not writes[0].rows:
        raise InvalidInput(f"append to {appends[0].stream!r}: expected at least one event, got none")
    return WriteRequest(writes, check_condition(condition) if condition is not None else None, own_ids)


def prepare_one(
    stream: str,
    events: Sequence[Any],
    expected: ExpectedVersion,
    condition: AppendCondition | None,
    *,
    max_payload: int,
) -> WriteRequest:
    """An append to one stream. See `prepare`.

    The commonest one, of a single plain event, takes the fewest steps: a lone append runs after a wait for the disk, and
    each line that it touches has to be fetched into the processor's caches anew.
    """
    if type(events) is list and len(events) == 1:
        event = events[0]
        form = forms.get(type(event))
        if form is not None:
            check_stream_name(stream)
            check_expected(expected)
            payload = encode(event, form, max_payload)
            tags = check_tags(tags_of(event)) if form.tagged else None
            tags_json = _tags_json(tags) if tags else None
            row = (form.name, form.schema, new_id(), None, None, None, None, tags_json, payload)
            write = StreamWrite(stream, expected, [row], [tags] if tags else None)
            return WriteRequest([write], None if condition is None else check_condition(condition))
    return prepare([StreamAppend(stream, events, expected)], condition, max_payload=max_payload)


def check_together(appends: Sequence[StreamAppend]) -> None:
    """Whether these can be one append.

    Raises:
        InvalidInput: there is none, a stream is named twice, or there are too many events.
    """
    if not appends:
        raise InvalidInput("append: expected at least one stream, got none")
    names = [each.stream for each in appends]
    if len(set(names)) != len(names):
        raise InvalidInput(f"append: expected each stream once, got {', '.join(names)}; put its events in one list")
    if sum(len(each.events) for each in appends) > MAX_EVENTS:
        raise _too_many()


def _check_append(append: StreamAppend, *, system: bool) -> None:
    if type(append) is not StreamAppend:
        raise InvalidInput(f"append: expected a StreamAppend for each stream, got {append!r}")
    name = check_stream_name(append.stream, system=system)
    events = append.events
    if type(events) is not list and (not isinstance(events, Sequence) or isinstance(events, (str, bytes))):
        raise InvalidInput(f"append to {name!r}: events: expected a list of events, got {events!r}")
    if len(events) > MAX_EVENTS:
        raise _too_many()


def _too_many() -> InvalidInput:
    return InvalidInput(f"append: expected at most {MAX_EVENTS:,} events in one call; split it")


def event_ids(request: WriteRequest) -> tuple[str, ...]:
    """The ids of all events of a request, in order."""
    if len(request.writes) == 1 and len(request.writes[0].rows) == 1:
        return (request.writes[0].rows[0][2],)
    return tuple([row[2] for write in request.writes for row in write.rows])


def _prepare_stream(append: StreamAppend, max_payload: int) -> tuple[StreamWrite, bool]:
    stream, events, expected = append.stream, append.events, check_expected(append.expected)
    if not events:
        return _prepare_guard(stream, expected), False
    own_ids = tagged = False
    rows: list[PreparedRow] = []
    all_tags: list[tuple[str, ...]] = []
    for given, fresh_id in zip(events, new_ids(len(events)), strict=False):
        if type(given) is NewEvent:
            row, tags = _prepare_wrapped(given, fresh_id, max_payload)
            own_ids = own_ids or given.event_id is not None
        else:
            cls: type[Event] = type(given)
            form = form_of(cls)
            payload = encode(given, form, max_payload)
            tags = check_tags(tags_of(given)) if form.tagged else ()
            row = (
                form.name,
                form.schema,
                fresh_id,
                None,
                None,
                None,
                None,
                _tags_json(tags) if tags else None,
                payload,
            )
        tagged = tagged or bool(tags)
        rows.append(row)
        all_tags.append(tags)
    return StreamWrite(stream, expected, rows, all_tags if tagged else None), own_ids


def _prepare_guard(stream: str, expected: ExpectedVersion) -> StreamWrite:
    if expected is ANY:
        raise InvalidInput(
            f"append to {stream!r}: expected at least one event, or an expected version to guard the stream by, got neither"
        )
    return StreamWrite(stream, expected, [], None)


def _is_guard(write: StreamWrite) -> bool:
    return not write.rows


def _prepare_wrapped(new: NewEvent[Any], fresh_id: str, max_payload: int) -> tuple[PreparedRow, tuple[str, ...]]:
    cls: type[Event] = type(new.event)
    form = form_of(cls)
    payload = encode(new.event, form, max_payload)
    tags = check_tags([*tags_of(new.event), *check_tags(new.tags)]) if form.tagged or new.tags != () else ()
    row = (
        form.name,
        form.schema,
        fresh_id if new.event_id is None else check_event_id(new.event_id),
        None if new.occurred_at is None else _microseconds(new),
        check_message_id("correlation_id", new.correlation_id),
        None if new.causation_id is None else _cause(new.causation_id),
        _metadata_json(new, max_payload),
        _tags_json(tags) if tags else None,
        payload,
    )
    return row, tags


def _tags_json(tags: tuple[str, ...]) -> str:
    return msgspec.json.encode(tags).decode()


def _microseconds(new: NewEvent[Any]) -> int:
    try:
        assert new.occurred_at is not None  # noqa: S101 - for the type checker; the caller has looked
        microseconds = to_microseconds(new.occurred_at)
        to_datetime(microseconds)  # in UTC it may lie outside of the years that a datetime knows
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidEvent(
            f"occurred_at: expected a datetime with a time zone, in UTC of the years 1 to 9999, got {new.occurred_at!r}"
        ) from error
    return microseconds


def check_message_id(field: str, value: str | None) -> str | None:
    """Returns the id of a message, which need not be an event.

    Raises:
        InvalidEvent: it is not a text of 1 to 255 printable characters.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise InvalidEvent(f"{field}: expected 1 to {MAX_ID_LENGTH} printable characters, got {shown(value)}")
    return value


def _cause(value: str) -> str | None:
    return None if check_message_id("causation_id", value) is None else canonical_id(value)


def _metadata_json(new: NewEvent[Any], limit: int) -> str | None:
    if new.metadata is None:
        return None
    if not isinstance(new.metadata, dict):
        raise InvalidEvent(f"metadata: expected a dict of texts to JSON values, got {shown(new.metadata)}")
    try:
        data = msgspec.json.encode(new.metadata)
        if len(data) > limit:
            raise InvalidEvent(f"metadata: expected at most {limit:,} bytes as JSON, got {len(data):,}")
        check_depth("metadata", data)
        same = msgspec.json.decode(data) == new.metadata
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, InvalidEvent):
            raise
        raise InvalidEvent(f"metadata: {unencodable(new.metadata, error)}") from error
    if not same or ESCAPED_NUL in data:
        problem = problem_in(new.metadata)
        if problem or not same:
            expected = f"expected a dict of texts to JSON values, got {shown(new.metadata)}"
            raise InvalidEvent(f"metadata: {problem or expected}")
    return data.decode() if new.metadata else None
