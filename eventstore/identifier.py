"""UUIDv7 event ids: unique, and ascending in time, so that the index over them grows at its end (RFC 9562, 5.7)."""

import os
import re
import time
import uuid
from itertools import count, islice
from random import Random
from typing import NamedTuple

from eventstore.errors import InvalidEvent

_VERSION_7 = 0x7000
_VARIANT = 0x8000
_COUNTER_LIMIT = 1 << 47

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# A generator of our own, seeded by the system: a program that seeds Python's shared one still gets fresh ids.
_generator = Random()  # noqa: S311 - an id must be unique, not secret


class _Tick(NamedTuple):
    """The ids of one millisecond: they share 26 random bits, and count up from a random 47-bit start (6.2, method 2)."""

    millis: int
    prefix: str
    numbers: "count[int]"


_tick = _Tick(0, "", count())


def _begin_tick(millis: int) -> _Tick:
    global _tick  # noqa: PLW0603 - threads that begin the same millisecond at once get a tick each
    random = _generator.getrandbits(73)
    time_hex = f"{millis:012x}"
    high = _VERSION_7 | (random & 0xFFF)
    variant = _VARIANT | ((random >> 12) & 0x3FFF)
    prefix = f"{time_hex[:8]}-{time_hex[8:]}-{high:04x}-{variant:04x}-"
    _tick = _Tick(millis, prefix, count((random >> 26) % _COUNTER_LIMIT))
    return _tick


def _reset_after_fork() -> None:
    _generator.seed()
    _begin_tick(0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def new_id() -> str:
    """One fresh id."""
    millis = time.time_ns() // 1_000_000
    tick = _tick
    if tick.millis != millis:
        tick = _begin_tick(millis)
    return f"{tick.prefix}{next(tick.numbers):012x}"


def new_ids(number: int) -> list[str]:
    """So many fresh ids in ascending order."""
    if number == 1:
        return [new_id()]
    tick = _begin_tick(time.time_ns() // 1_000_000)
    prefix = tick.prefix
    return [f"{prefix}{each:012x}" for each in islice(tick.numbers, number)]


def check_event_id(value: str | uuid.UUID) -> str:
    """The id as canonical text.

    Raises:
        InvalidEvent: it is not a UUID.
    """
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise InvalidEvent(f"event_id: expected a UUID, got {value!r}") from None


def canonical_id(message_id: str) -> str:
    """The id of a message as it is compared: a UUID in capitals is the one that events have in small letters."""
    return message_id if message_id.islower() or not _UUID.fullmatch(message_id) else message_id.lower()
