"""A CloudEvent as a message of NATS: attributes as `ce-` headers, percent-encoded as in the HTTP binding."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from commands.brokers.broker import Delivery
from commands.brokers.content import deliver, write
from commands.cloud_event import CloudEvent
from commands.errors import MessageRefused

PREFIX = "ce-"
MESSAGE_ID = "Nats-Msg-Id"
_OF_THE_SERVER = "nats-"
_SAFE = "".join(chr(each) for each in range(0x21, 0x7F) if chr(each) not in '"%')
_PLAIN = re.compile(r"[!#$&-~]+")  # as _SAFE says
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINES = len(b"NATS/1.0\r\n\r\n")


def headers_and_body(event: CloudEvent, *, structured: bool) -> tuple[dict[str, str], bytes]:
    """What is sent."""
    headers, body = write(event, structured=structured, prefix=PREFIX)
    if wrong := [name for name in headers if not _NAME.fullmatch(name)]:
        raise MessageRefused(
            f"message {event.id}: headers: NATS has no such name: {', '.join(wrong)}; choose another one"
        )
    encoded = {name: _encoded(text) for name, text in headers.items()}
    encoded[MESSAGE_ID] = _encoded(f"{event.source} {event.id}")
    return encoded, body


def _encoded(text: str) -> str:
    """Percent-encoded where it must be, which is seldom."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_SAFE)


def size_of(headers: Mapping[str, str], body: bytes) -> int:
    """What the server counts against its limit, in bytes: headers too."""
    return len(body) + _LINES + sum(len(name) + len(text) + 4 for name, text in headers.items())


def delivery_of(
    position: str, headers: Mapping[str, str] | None, body: bytes, channel: str, arrived_us: int
) -> Delivery:
    """What has arrived."""
    own = {name: unquote(text) for name, text in (headers or {}).items() if not name.lower().startswith(_OF_THE_SERVER)}
    return deliver(position, own, body, channel=channel, prefixes=(PREFIX,), arrived_us=arrived_us)


def stream_of(channel: str) -> str:
    """The name of a channel's stream, which may have no dots."""
    return channel.replace(".", "%2E")
