"""Turns events into JSON text and back. One encoder for all, one decoder per event type."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, NoReturn

import msgspec

from eventstore.backend import Payload, Row, label_of
from eventstore.errors import (
    DefinitionError,
    InvalidEvent,
    NewerEventSchema,
    PayloadTooLarge,
    UnknownEventType,
    UnreadableEvent,
)
from eventstore.event import Event, event_classes, event_type, schema_version
from eventstore.recorded import Recorded, UnknownEvent

_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_encode_unsorted = msgspec.json.Encoder().encode
ESCAPED_NUL = b"\\u0000"
MAX_DEPTH = 100
"""How deep an event may be nested: a reader deep in its own calls must still be able to decode it."""


class Codec:
    """Decodes the stored events of the declared types.

    Args:
        declared: an Event class, a union of them, or a sequence.
        strict: whether an undeclared type is an error; otherwise it is read as `UnknownEvent`.

    Raises:
        DefinitionError: two of the classes have the same type name.
    """

    def __init__(self, declared: Any = (), *, strict: bool = False) -> None:
        self.classes = event_classes(declared)
        self.strict = strict
        self._known: dict[str, tuple[int, Callable[[str], Any]]] = {}
        self._labels: dict[str, Callable[[str], Any]] = {}
        owners: dict[str, type[Event]] = {}
        for cls in self.classes:
            name = event_type(cls)
            if name in owners:
                raise DefinitionError(
                    f"event type {name!r} is declared by {_path(owners[name])} and by {_path(cls)}; "
                    "give one of them another name with `event_type=`"
                )
            owners[name] = cls
            self._known[name] = (schema_version(cls), _decoder(cls))
            self._labels[label_of(name, schema_version(cls))] = _decoder(cls)

    @property
    def types(self) -> tuple[str, ...]:
        """The stable names of the declared types."""
        return tuple(self._known)

    def decode(self, rows: Iterable[Row]) -> list[Recorded[Any]]:
        """The rows as recorded events.

        Raises:
            UnknownEventType: strict, and a type is not declared.
            NewerEventSchema: an event was stored by newer code.
            UnreadableEvent: the stored JSON does not fit the declared class.
        """
        known = self._known
        found: list[Recorded[Any]] = []
        add = found.append
        for row in rows:
            (
                position,
                stream,
                version,
                recorded,
                name,
                schema,
                event_id,
                occurred,
                corr,
                caus,
                meta,
                tags,
                data,
            ) = row
            entry = known.get(name)
            if entry is None or entry[0] != schema:
                event = self._decode_undeclared(row)
            else:
                try:
                    event = entry[1](data)
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    _refuse(row, error)
            add(
                Recorded(
                    event,
                    position,
                    stream,
                    version,
                    recorded,
                    name,
                    schema,
                    event_id,
                    occurred,
                    corr,
                    caus,
                    meta,
                    tags,
                )
            )
        return found

    def decode_event(self, row: Row) -> Any:
        """The event of one row, without its envelope."""
        entry = self._known.get(row[4])
        if entry is None or entry[0] != row[5]:
            return self._decode_undeclared(row)
        try:
            return entry[1](row[12])
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            _refuse(row, error)

    def decode_events(self, rows: Iterable[Row]) -> list[Any]:
        """The events of the rows, without their envelopes: what a fold over one stream needs."""
        known = self._known
        try:
            return [
                entry[1](row[12])
                if (entry := known.get(row[4])) is not None and entry[0] == row[5]
                else self._decode_undeclared(row)
                for row in rows
            ]
        except (msgspec.DecodeError, ValueError, RecursionError):
            return [self.decode_event(row) for row in rows]  # once more, to name the event at fault

    def decode_payloads(self, payloads: Sequence[Payload]) -> list[Any] | None:
        """The events of these payloads; None where one of them needs a closer look, by way of its whole row."""
        labels = self._labels
        try:
            return [labels[label](data) for label, data in payloads]
        except (KeyError, msgspec.DecodeError, ValueError, RecursionError):
            return None

    def _decode_undeclared(self, row: Row) -> UnknownEvent:
        name, schema = row[4], row[5]
        entry = self._known.get(name)
        if entry is not None:
            _refuse_schema(row, entry[0])
        if self.strict:
            raise UnknownEventType(
                f"stream {row[1]!r} version {row[2]} (position {row[0]}) holds event type {name!r}, which this reader "
                f"does not declare (it declares {', '.join(sorted(self._known)) or 'none'}); add the class to its events"
            )
        return UnknownEvent(name, schema, msgspec.json.decode(row[12]))


def _refuse(row: Row, error: Exception) -> NoReturn:
    raise UnreadableEvent(
        f"event {row[4]!r} schema {row[5]} at position {row[0]} (stream {row[1]!r} version {row[2]}) does not fit its "
        f"declared class: {error}; restore the field, or give it a default"
    ) from error


def _refuse_schema(row: Row, declared: int) -> NoReturn:
    where = f"event {row[4]!r} at position {row[0]} (stream {row[1]!r} version {row[2]})"
    if row[5] > declared:
        raise NewerEventSchema(
            f"{where} has schema {row[5]}, and this code declares schema {declared}; deploy the code that knows it"
        )
    raise UnreadableEvent(
        f"{where} has schema {row[5]}, and this code declares schema {declared}; keep the older schema readable"
    )


@cache
def _decoder(cls: type[Event]) -> Callable[[str], Any]:
    try:
        return msgspec.json.Decoder(cls).decode
    except TypeError as error:
        raise DefinitionError(f"{_path(cls)}: a field's type cannot be stored as JSON: {error}") from error


@lru_cache(maxsize=1024)
def codec_of(declared: Any, *, strict: bool = False) -> Codec:
    """A codec for a union of event classes, made once."""
    return Codec(declared, strict=strict)


def _encode_json(value: Any) -> bytes:
    """As JSON; sets and dicts in order, so that an append repeated by another process is the same text."""
    try:
        return _encode_sorted(value)
    except TypeError:  # only dicts with text keys can be sorted
        return _encode_unsorted(value)


def encode(event: Event, limit: int) -> str:
    """The event as JSON text, after proof that it reads back equal.

    Args:
        event: any Event.
        limit: the largest size accepted, in bytes of UTF-8.

    Raises:
        InvalidEvent: a field does not have its declared type, or would not read back equal (NaN, lone surrogates, NUL).
        PayloadTooLarge: the JSON exceeds the limit.
    """
    cls = type(event)
    if not issubclass(cls, Event):
        raise InvalidEvent(f"expected an Event, got {cls.__name__}: declare it as `class {cls.__name__}(Event)`")
    try:
        data = _encode_json(event)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidEvent(f"{event_type(cls)}: {_field_at_fault(event, error)}; nothing was stored") from error
    if len(data) > limit:
        raise PayloadTooLarge(
            f"{event_type(cls)}: the event is {len(data):,} bytes as JSON, and the store takes at most {limit:,}; "
            "nothing was stored. Keep large content elsewhere and store a reference to it, or raise `max_payload`."
        )
    check_depth(event_type(cls), data)
    text = data.decode()
    try:
        back = _decoder(cls)(text)
    except (msgspec.DecodeError, ValueError) as error:
        problem = _unstorable(event) or _undecodable(event, error)
        raise InvalidEvent(f"{event_type(cls)}: {problem}; nothing was stored") from error
    if back != event or (ESCAPED_NUL in data and _unstorable(event)):
        problem = _unstorable(event) or _changed(event, back)
        raise InvalidEvent(f"{event_type(cls)}: {problem}; nothing was stored")
    return text


def check_depth(what: str, data: bytes) -> None:
    """Refuses JSON that is nested too deep.

    Raises:
        InvalidEvent: deeper than `MAX_DEPTH`.
    """
    if len(data) <= 2 * MAX_DEPTH or data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth, level = 0, [msgspec.json.decode(data)]
    while level := [part for value in level if isinstance(value, (dict, list)) for part in _parts(value)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidEvent(f"{what}: expected values nested at most {MAX_DEPTH} deep; nothing was stored")


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _field_at_fault(event: Event, error: Exception) -> str:
    for name in event.__struct_fields__:
        try:
            _encode_json(getattr(event, name))
        except (TypeError, ValueError, OverflowError, RecursionError) as found:
            return f"{name}: {found}"
    return str(error)


def _undecodable(event: Event, error: Exception) -> str:
    """Names the first field whose value its declared type does not accept, and the value."""
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        try:
            msgspec.json.decode(_encode_json(value), type=field.type)
        except (msgspec.DecodeError, ValueError) as found:
            return f"{field.name}: {found}, got {value!r}"
    return str(error)


def _changed(event: Event, back: Event) -> str:
    """Names the first field that would not read back equal, its value, and what it would be."""
    for name in event.__struct_fields__:
        value, other = getattr(event, name), getattr(back, name)
        if value != other:
            return f"{name}: expected a value that reads back equal, got {value!r}, which reads back as {other!r}"
    return "the event does not equal itself once read back: leave its comparison to msgspec"


def _unstorable(event: Event) -> str | None:
    """Names the first field with a value that JSON text in a database cannot hold."""
    for name in event.__struct_fields__:
        if problem := problem_in(getattr(event, name)):
            return f"{name}: {problem}"
    return None


def problem_in(value: Any) -> str | None:
    """What JSON text in a database cannot hold of a value; None where it can hold all of it."""
    return _problem_in(msgspec.to_builtins(value))


def _problem_in(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}"
    if isinstance(value, str) and "\0" in value:
        return "expected text without NUL (\\0), which databases cannot hold"
    if isinstance(value, dict):
        parts: Iterable[Any] = (part for pair in value.items() for part in pair)
    elif isinstance(value, (list, tuple)):
        parts = value
    else:
        return None
    return next((problem for part in parts if (problem := _problem_in(part))), None)


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
