"""Turns events into JSON text that is proven to read back equal."""

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import msgspec

from eventstore.errors import DefinitionError, InvalidEvent, PayloadTooLarge, shown
from eventstore.event import Event, event_type, has_tags, schema_version

ESCAPED_NUL = b"\\u0000"
MAX_DEPTH = 100
"""How deep an event may be nested: a reader deep in its own calls must still be able to decode it."""

REFUSED = "; nothing was stored"
"""What becomes of an event that cannot be."""

_SHALLOW = 2 * MAX_DEPTH
"""JSON of so many bytes cannot be nested deeper than `MAX_DEPTH`."""

# Sets and dicts in order, so that an append repeated by another process is the same text.
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_encode_unsorted = msgspec.json.Encoder().encode


class Form(NamedTuple):
    """What storing an event of a class takes, found once for each class.

    Attributes:
        name: the class's stable name.
        schema: its schema version.
        tagged: whether fields of it are tags.
        decode: reads its JSON.
    """

    name: str
    schema: int
    tagged: bool
    decode: Callable[[bytes | str], Any]


forms: dict[type, Form] = {}
"""Of every class of which an event was encoded before."""


def form_of(cls: type[Event]) -> Form:
    """The form of a class of events.

    Raises:
        InvalidEvent: it is not one.
        DefinitionError: it cannot be stored as it was declared.
    """
    form = forms.get(cls)
    if form is not None:
        return form
    if not issubclass(cls, Event):
        raise InvalidEvent(f"expected an Event, got {cls.__name__}: declare it as `class {cls.__name__}(Event)`")
    form = forms[cls] = Form(event_type(cls), schema_version(cls), has_tags(cls), decoder_of(cls))
    return form


def encode(event: Event, form: Form, limit: int) -> str:
    """The event as JSON text, after proof that it reads back equal.

    Args:
        event: any Event.
        form: of its class.
        limit: the largest size accepted, in bytes of UTF-8.

    Raises:
        InvalidEvent: a field does not have its declared type, or would not read back equal (NaN, lone surrogates, NUL).
        PayloadTooLarge: the JSON exceeds the limit.
    """
    try:
        data = _encode_sorted(event)
    except (TypeError, ValueError, OverflowError, RecursionError):
        data = _encode_unsorted_event(event, form)
    size = len(data)
    if size > _SHALLOW:
        _check_size(form.name, data, limit)
    elif size > limit:
        raise _too_large(form.name, data, limit)
    try:
        back = form.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        problem = _unstorable(event) or _undecodable(event, error)
        raise InvalidEvent(f"{form.name}: {problem}", REFUSED) from error
    if back != event or (ESCAPED_NUL in data and _unstorable(event)):
        problem = _unstorable(event) or _changed(event, back)
        raise InvalidEvent(f"{form.name}: {problem}", REFUSED)
    return data.decode()


def _encode_unsorted_event(event: Event, form: Form) -> bytes:
    """Only dicts with text keys can be sorted."""
    try:
        return _encode_unsorted(event)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidEvent(f"{form.name}: {_field_at_fault(event, error)}", REFUSED) from error


def _encode_json(value: Any) -> bytes:
    try:
        return _encode_sorted(value)
    except TypeError:
        return _encode_unsorted(value)


def _check_size(what: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise _too_large(what, data, limit)
    check_depth(what, data)


def _too_large(what: str, data: bytes, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"{what}: the event is {len(data):,} bytes as JSON, and the store takes at most {limit:,}; "
        "nothing was stored. Keep large content elsewhere and store a reference to it, or raise `max_payload`."
    )


def check_depth(what: str, data: bytes) -> None:
    """Refuses JSON that is nested too deep.

    Raises:
        InvalidEvent: deeper than `MAX_DEPTH`.
    """
    if len(data) <= _SHALLOW or data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth, level = 0, [msgspec.json.decode(data)]
    while level := [part for value in level if isinstance(value, (dict, list)) for part in _parts(value)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidEvent(f"{what}: expected values nested at most {MAX_DEPTH} deep", REFUSED)


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _field_at_fault(event: Event, error: Exception) -> str:
    for name in event.__struct_fields__:
        value = getattr(event, name)
        try:
            _encode_json(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as found:
            return f"{name}: {unencodable(value, found)}"
    return str(error)


def unencodable(value: Any, error: Exception) -> str:
    """What JSON text should have been, and the value that it cannot be made of."""
    if isinstance(error, UnicodeEncodeError):
        return f"expected text without lone surrogates, which UTF-8 cannot hold, got {shown(value)}"
    return f"expected what JSON can hold, got {shown(value)} ({error})"


def _undecodable(event: Event, error: Exception) -> str:
    """Names the first field whose value its declared type does not accept, and the value."""
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        try:
            msgspec.json.decode(_encode_json(value), type=field.type)
        except (msgspec.DecodeError, ValueError) as found:
            return f"{field.name}: {found}, got {shown(value)}"
    return str(error)


def _changed(event: Event, back: Event) -> str:
    """Names the first field that would not read back equal, its value, and what it would be."""
    for name in event.__struct_fields__:
        value, other = getattr(event, name), getattr(back, name)
        if value != other:
            return f"{name}: expected a value that reads back equal, got {shown(value)}, which reads back as {shown(other)}"
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
        return f"expected text without NUL (\\0), which databases cannot hold, got {shown(value)}"
    if isinstance(value, dict):
        parts: Iterable[Any] = (part for pair in value.items() for part in pair)
    elif isinstance(value, (list, tuple)):
        parts = value
    else:
        return None
    return next((problem for part in parts if (problem := _problem_in(part))), None)


@cache
def decoder_of(cls: type[Event]) -> Callable[[bytes | str], Any]:
    """What decodes an event of a class from its JSON.

    Raises:
        DefinitionError: a field's type cannot be stored as JSON, or the class would be stored without the fields' names.
    """
    if cls.__struct_config__.array_like:
        raise DefinitionError(
            f"{path_of(cls)}: array_like: events are stored with the names of their fields, by which older shapes are told "
            "and upcast; leave it out"
        )
    try:
        return msgspec.json.Decoder(cls).decode
    except TypeError as error:
        raise DefinitionError(f"{path_of(cls)}: a field's type cannot be stored as JSON: {error}") from error


def path_of(cls: type) -> str:
    """Where a class was declared, for messages."""
    return f"{cls.__module__}.{cls.__qualname__}"
