"""Makes a message ready to be sent: whatever is wrong with it is found here, before anything is stored."""

import re
import sys
import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from commands.cloud_event import CloudEvent
from commands.errors import InvalidMessage
from commands.message import Message, NewMessage, channel_of, message_type, message_version
from eventstore import InvalidEvent, InvalidInput, PayloadTooLarge
from eventstore.encoding import Form, decoder_of, encode
from eventstore.errors import shown
from eventstore.identifier import new_id
from eventstore.recorded import to_datetime, to_microseconds

MAX_DATA = 1_000_000
"""Bytes of a message's JSON. With what travels beside it, that is what brokers take unless they are told to take more."""

MAX_TEXT = 255
MAX_HEADER = 2_000
MAX_HEADERS = 32
TRACEPARENT = "traceparent"

_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_HEADER = re.compile(r"[a-z0-9]{1,20}")
_TAKEN = frozenset(
    {
        *("id", "source", "type", "specversion", "time", "subject", "data", "datacontenttype", "dataschema"),
        *("partitionkey", "correlationid", "causationid"),
    }
)
"""What a header may not be called: it is an attribute of its own."""


class Origin(msgspec.Struct, frozen=True):
    """What a message says that does not say it itself; all of it is known to be acceptable.

    Attributes:
        source: the service that says it.
        message_id: its id.
        time_us: when what it says happened, microseconds since 1970 UTC.
        key: its key; None stands for its own id.
        correlation_id: the conversation that it belongs to.
        causation_id: the message or event that caused it.
        traceparent: the span of the trace that it belongs to.
    """

    source: str
    message_id: str
    time_us: int
    key: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None


def seal(given: Message | NewMessage[Any], origin: Origin) -> CloudEvent:
    """The message in the form in which it travels.

    Args:
        given: the message.
        origin: what it says where it does not say it itself.

    Raises:
        InvalidMessage: a field of it, or of what travels beside it, is not acceptable.
    """
    if isinstance(given, NewMessage):
        return _seal_wrapped(given, origin)
    form = _form(type(given))
    key = origin.key or origin.message_id
    return CloudEvent(
        origin.message_id,
        origin.source,
        form.name,
        _encode(given, form),
        form.channel if form.channel is not None else _channel(form, None),
        key,
        origin.time_us,
        key,
        form.schema,
        _brought(origin),
    )


def _seal_wrapped(new: NewMessage[Any], origin: Origin) -> CloudEvent:
    message: Message = new.message
    form = _form(type(message))
    name = form.name
    message_id = origin.message_id
    if new.message_id is not None:
        message_id = check_message_id(f"{name}: message_id", new.message_id)
    key = (origin.key or message_id) if new.key is None else _text(name, "key", new.key)
    return CloudEvent(
        id=message_id,
        source=origin.source,
        type=name,
        data=_encode(message, form),
        channel=_channel(form, new.channel),
        key=key,
        time_us=_time(name, new, origin.time_us),
        subject=key if new.subject is None else _text(name, "subject", new.subject),
        schema=form.schema,
        headers=_headers(name, new, origin),
    )


def check_source(source: Any) -> str:
    """Returns the name of a service, as messages carry it.

    Raises:
        InvalidInput: it is not a URI reference, such as `/bank` or `https://bank.example`.
    """
    if isinstance(source, str) and 0 < len(source) <= MAX_TEXT and source.isprintable() and " " not in source:
        return source
    raise InvalidInput(f"source: expected a URI reference such as /bank, without blanks, got {shown(source)}")


def current_traceparent() -> str | None:
    """The OpenTelemetry span that is under way, as W3C Trace Context writes it; None where there is none."""
    trace = sys.modules.get("opentelemetry.trace")  # where nobody has imported it, nobody traces
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None


def fresh_id() -> str:
    """The id of a message that comes from nowhere else."""
    return new_id()


class _Form(NamedTuple):
    """What sending a message of a class takes, found once for each class."""

    name: str
    schema: str
    channel: str | None
    encoded: Form
    declared: str


def _instead(cls: type) -> str:
    if cls in {list, tuple, set, frozenset}:
        return "pass several messages as arguments of their own"
    if cls.__module__ == "builtins":
        return "pass an instance of a class that you declare, as in `class OrderPlaced(Message)`"
    return f"declare it as `class {cls.__name__}(Message)`"


@cache
def _form(cls: type[Message]) -> _Form:
    if not (isinstance(cls, type) and issubclass(cls, Message)):
        raise InvalidMessage(f"expected a Message, got {cls.__name__}: {_instead(cls)}")
    name, version = message_type(cls), message_version(cls)
    encoded = Form(name, version, tagged=False, decode=decoder_of(cls))
    return _Form(name, f"{name}/{version}", channel_of(cls), encoded, cls.__name__)


def _encode(message: Message, form: _Form) -> bytes:
    try:
        return encode(message, form.encoded, MAX_DATA).encode()  # type: ignore[arg-type]  # any Struct will do
    except PayloadTooLarge:
        size = len(msgspec.json.encode(message))
        raise InvalidMessage(
            f"{form.name}: expected at most {MAX_DATA:,} bytes as JSON, got {size:,}; keep large content elsewhere and "
            "send a reference to it"
        ) from None
    except InvalidEvent as error:
        raise InvalidMessage(error.problem) from error


def _channel(form: _Form, given: Any) -> str:
    channel = given if given is not None else form.channel
    if channel is None:
        raise InvalidMessage(
            f"{form.name}: channel: expected to be told where it goes, got nothing: declare it as "
            f'`class {form.declared}(Message, channel="...")`, or send it as `NewMessage(..., channel="...")`'
        )
    if not isinstance(channel, str) or not _CHANNEL.fullmatch(channel):
        expected = "expected 1 to 120 letters, digits, dots, dashes and underscores"
        raise InvalidMessage(f"{form.name}: channel: {expected}, got {shown(channel)}")
    return channel


def _text(name: str, field: str, value: Any) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable():
        return value
    raise InvalidMessage(f"{name}: {field}: expected 1 to {MAX_TEXT} printable characters, got {shown(value)}")


def check_message_id(field: str, value: Any) -> str:
    """Returns the id of a message.

    Raises:
        InvalidMessage: it is not a UUID.
    """
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise InvalidMessage(f"{field}: expected a UUID, got {shown(value)}") from None


def _time(name: str, new: NewMessage[Any], default: int) -> int:
    if new.occurred_at is None:
        return default
    try:
        microseconds = to_microseconds(new.occurred_at)
        to_datetime(microseconds)  # in UTC it may lie outside of the years that a datetime knows
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidMessage(
            f"{name}: occurred_at: expected a datetime with a time zone, got {shown(new.occurred_at)}"
        ) from error
    return microseconds


def _brought(origin: Origin) -> dict[str, str]:
    found = {}
    if origin.correlation_id is not None:
        found["correlationid"] = origin.correlation_id
    if origin.causation_id is not None:
        found["causationid"] = origin.causation_id
    if origin.traceparent is not None:
        found[TRACEPARENT] = origin.traceparent
    return found


def _headers(name: str, new: NewMessage[Any], origin: Origin) -> dict[str, str]:
    found = _brought(origin)
    if new.correlation_id is not None:
        found["correlationid"] = _text(name, "correlation_id", new.correlation_id)
    if new.causation_id is not None:
        found["causationid"] = _text(name, "causation_id", new.causation_id)
    return found if new.headers is None else found | _own_headers(name, new.headers)


def _own_headers(name: str, headers: Any) -> dict[str, str]:
    if not isinstance(headers, Mapping) or len(headers) > MAX_HEADERS:
        raise InvalidMessage(f"{name}: headers: expected a dict of at most {MAX_HEADERS} texts, got {shown(headers)}")
    for header, value in headers.items():
        if not isinstance(header, str) or not _HEADER.fullmatch(header) or header in _TAKEN:
            raise InvalidMessage(
                f"{name}: headers: expected names of 1 to 20 of a-z and 0-9 that are no attribute of CloudEvents, "
                f"got {shown(header)}"
            )
        if not isinstance(value, str) or len(value) > MAX_HEADER or not value.isprintable():
            expected = f"expected a text of at most {MAX_HEADER:,} printable characters"
            raise InvalidMessage(f"{name}: headers: {header}: {expected}, got {shown(value)}")
    return dict(headers)
