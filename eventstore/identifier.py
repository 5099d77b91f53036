"""UUIDv7 event ids: unique, and ascending in time, so that the index over them grows at its end (RFC 9562, 5.7)."""

import os
import time
import uuid
from random import Random

from eventstore.errors import InvalidEvent

_VERSION_7 = 0x7000
_VARIANT = 0x8000
_COUNTER_LIMIT = 1 << 47

# A generator of our own, seeded by the system: a program that seeds Python's shared one still gets fresh ids.
_generator = Random()  # noqa: S311 - an id must be unique, not secret
_draw = _generator.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)


def new_ids(count: int) -> list[str]:
    """`count` fresh ids in ascending order.

    The ids of one call share their time and 26 random bits, and count up from a random 47-bit start
    (RFC 9562, 6.2, method 2): one draw serves them all.
    """
    millis = time.time_ns() // 1_000_000
    random = _draw(73)
    time_hex = f"{millis:012x}"
    high = _VERSION_7 | (random & 0xFFF)
    variant = _VARIANT | ((random >> 12) & 0x3FFF)
    start = (random >> 26) % _COUNTER_LIMIT
    prefix = f"{time_hex[:8]}-{time_hex[8:]}-{high:04x}-{variant:04x}-"
    if count == 1:
        return [f"{prefix}{start:012x}"]
    return [f"{prefix}{start + i:012x}" for i in range(count)]


def new_id() -> str:
    """One fresh id."""
    return new_ids(1)[0]


def check_event_id(value: str | uuid.UUID) -> str:
    """The id as canonical text.

    Raises:
        InvalidEvent: it is not a UUID.
    """
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise InvalidEvent(f"event_id: expected a UUID, got {value!r}") from None
