"""UUIDv7 event ids: unique, and ascending in time, so that the index over them grows at its end (RFC 9562, 5.7)."""

import os
import re
import time
import uuid
from itertools import count, islice
from random import Random

from eventstore.errors import InvalidEvent

_VERSION_7 = 0x7000
_VARIANT = 0x8000
_FIRST_LIMIT = 1 << 47
"""Half of what the counter holds: no process comes to its end."""

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

_shared = ""
"""Version, variant and 26 random bits, which all ids of this process have in common."""

_numbers = count()
"""Counts up from a random start and never back: ids are unique whatever the clock does."""


def _begin() -> None:
    global _shared, _numbers  # noqa: PLW0603 - once for a process
    random = Random().getrandbits(73)  # noqa: S311 - an id must be unique, not secret; seeded by the system, not by the program
    _shared = f"{_VERSION_7 | (random & 0xFFF):04x}-{_VARIANT | ((random >> 12) & 0x3FFF):04x}-"
    _numbers = count((random >> 26) % _FIRST_LIMIT)


_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def new_id() -> str:
    """One fresh id."""
    millis = time.time_ns() // 1_000_000
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-{_shared}{next(_numbers):012x}"


def new_ids(number: int) -> list[str]:
    """So many fresh ids in ascending order."""
    millis = time.time_ns() // 1_000_000
    prefix = f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-{_shared}"
    return [f"{prefix}{each:012x}" for each in islice(_numbers, number)]


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
