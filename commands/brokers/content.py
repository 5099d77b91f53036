"""How a CloudEvent lies in a broker's message: in binary mode as headers and data, in structured mode as one JSON text.

Both are read back, whichever is written. Attributes of CloudEvents have names of small letters and digits; a header of another name
travels beside them as a header of the message itself.
"""

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from commands.brokers.broker import Delivery
from commands.cloud_event import JSON, SPEC_VERSION, CloudEvent
from commands.errors import MessageRefused
from eventstore.recorded import to_microseconds

CONTENT_TYPE = "content-type"
STRUCTURED_JSON = "application/cloudevents+json"
ANY_STRUCTURED = "application/cloudevents"
PREFIX = "ce_"

_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_OWN = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "data", "data_base64"}
    | {"partitionkey", CONTENT_TYPE}
)
_JSON_TYPE = re.compile(r"[^/]+/(?:[^;]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of UTC, without saying so: what is written ends with a Z
_MICROSECOND = timedelta(microseconds=1)


class _NotACloudEventError(ValueError):
    """What arrived is none."""


def write(event: CloudEvent, *, structured: bool, prefix: str = PREFIX) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a message.

    Args:
        event: what to send.
        structured: whether the attributes go into the body.
        prefix: what the names of attributes begin with among the headers of this kind of broker.

    Raises:
        MessageRefused: see check_headers.
    """
    check_headers(event)
    attributes, beside = _attributes(event)
    if not structured:
        headers = {f"{prefix}{name}": text for name, text in attributes.items()}
        return {CONTENT_TYPE: JSON, **headers, **beside}, event.data
    whole = {**attributes, "datacontenttype": JSON, "data": msgspec.Raw(event.data)}
    return {CONTENT_TYPE: STRUCTURED_JSON, **beside}, msgspec.json.encode(whole)


def check_headers(event: CloudEvent) -> None:
    """Whether every header of a message can travel.

    Raises:
        MessageRefused: one has the name of an attribute that the message has of its own.
    """
    if taken := _OWN & event.headers.keys():
        raise MessageRefused(
            f"message {event.id}: headers: {', '.join(sorted(taken))} cannot be set there, since the message has an attribute "
            "of that name already; choose another name"
        )


def _attributes(event: CloudEvent) -> tuple[dict[str, str], dict[str, str]]:
    """Those of CloudEvents, and the headers beside them."""
    found = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": f"{(_EPOCH + event.time_us * _MICROSECOND).isoformat(timespec='microseconds')}Z",
        "partitionkey": event.key,
    }
    if event.subject is not None:
        found["subject"] = event.subject
    if event.schema is not None:
        found["dataschema"] = event.schema
    beside: dict[str, str] = {}
    for name, text in event.headers.items():
        (found if _ATTRIBUTE.fullmatch(name) else beside)[name] = text
    return found, beside


def deliver(
    position: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    channel: str,
    prefixes: tuple[str, ...] = (PREFIX,),
    key: str | None = None,
    arrived_us: int = 0,
) -> Delivery:
    """What a broker's message says; with an error where it is no CloudEvent.

    Args:
        position: where it lies.
        headers: of the broker's message.
        body: the rest of it.
        channel: where it comes from.
        prefixes: what the names of attributes may begin with, in small letters.
        key: the broker's own key, where it has one and the message says none.
        arrived_us: when the broker got it, for one that does not say when it happened; microseconds since 1970 UTC.
    """
    try:
        return Delivery(position, body, _read(headers, body, channel, prefixes, key, arrived_us))
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return Delivery(position, body, None, f"no CloudEvent: {error}")


def _read(
    headers: Mapping[str, str], body: bytes, channel: str, prefixes: tuple[str, ...], key: str | None, arrived_us: int
) -> CloudEvent:
    attributes, beside = _apart(headers, prefixes)
    content_type = beside.pop(CONTENT_TYPE, None)
    if content_type is not None and content_type.lower().startswith(ANY_STRUCTURED):
        attributes, body = _structured(content_type, body)
    elif "specversion" not in attributes:
        raise _NotACloudEventError(f"expected the content type {STRUCTURED_JSON}, or a header {prefixes[0]}specversion")
    else:
        attributes.setdefault("datacontenttype", content_type or JSON)
    return _event(attributes, beside, body, channel, key, arrived_us)


def _apart(headers: Mapping[str, str], prefixes: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes of CloudEvents without their prefix, and what lies beside them."""
    attributes, beside = {}, {}
    for name, text in headers.items():
        small = name.lower()
        for prefix in prefixes:
            if small.startswith(prefix):
                attributes[small[len(prefix) :]] = text
                break
        else:
            beside[small if small == CONTENT_TYPE else name] = text
    return attributes, beside


def _structured(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    if content_type.partition(";")[0].strip().lower() != STRUCTURED_JSON:
        raise _NotACloudEventError(f"expected the content type {STRUCTURED_JSON}, got {content_type}")
    whole = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "data_base64" in whole:
        data = base64.b64decode(msgspec.json.decode(whole["data_base64"], type=str), validate=True)
    else:
        data = bytes(whole.get("data", b"null"))
    return {name: _text(name, raw) for name, raw in whole.items() if name not in {"data", "data_base64"}}, data


def _text(name: str, raw: msgspec.Raw) -> str:
    value: Any = msgspec.json.decode(raw)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise _NotACloudEventError(
        f"{name}: expected a text, a whole number or a truth value, got {bytes(raw)[:100].decode()}"
    )


def _event(
    attributes: dict[str, str], beside: dict[str, str], data: bytes, channel: str, key: str | None, arrived_us: int
) -> CloudEvent:
    if (version := attributes.pop("specversion", None)) != SPEC_VERSION:
        raise _NotACloudEventError(f"specversion: expected {SPEC_VERSION}, got {version}")
    if missing := [name for name in ("id", "source", "type") if not attributes.get(name)]:
        raise _NotACloudEventError(f"expected the attributes id, source and type, got none for {', '.join(missing)}")
    kind = attributes.pop("datacontenttype", JSON)
    if not _JSON_TYPE.fullmatch(kind):
        raise _NotACloudEventError(f"datacontenttype: expected JSON, got {kind}")
    own_id = attributes.pop("id")
    when = attributes.pop("time", None)
    return CloudEvent(
        id=own_id,
        source=attributes.pop("source"),
        type=attributes.pop("type"),
        data=data,
        channel=channel,
        key=attributes.pop("partitionkey", "") or key or own_id,
        time_us=arrived_us if when is None else _microseconds(when),
        subject=attributes.pop("subject", None),
        schema=attributes.pop("dataschema", None),
        headers={**attributes, **beside},
    )


def _microseconds(text: str) -> int:
    try:
        when = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise _NotACloudEventError(f"time: expected one as RFC 3339 writes it, got {text!r}") from error
    if when.tzinfo is None:
        raise _NotACloudEventError(f"time: expected an offset from UTC, got {text!r}")
    return to_microseconds(when)
