"""Checks the numbers and instants that callers give, before a database sees them."""

from datetime import datetime

from eventstore.errors import InvalidInput
from eventstore.recorded import to_microseconds

MAX_NUMBER = (1 << 63) - 1
"""The largest number that every database holds."""

MAX_SECONDS = 86_400


def check_number(field: str, value: int, *, least: int = 0) -> int:
    """Returns a version, a position or a count.

    Raises:
        InvalidInput: it is not an integer, less than `least`, or larger than databases hold.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_NUMBER:
        raise InvalidInput(f"{field}: expected an integer of {least} to 2**63 - 1, got {value!r}")
    return value


def check_seconds(field: str, value: float) -> float:
    """Returns a time to wait.

    Raises:
        InvalidInput: it is not a number, negative, or more than a day, which is more than databases can wait.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_SECONDS:
        raise InvalidInput(f"{field}: expected seconds, from 0 to {MAX_SECONDS:,}, got {value!r}")
    return value


def check_instant(field: str, instant: datetime) -> int:
    """The instant in microseconds since 1970.

    Raises:
        InvalidInput: it is not a datetime, or has no time zone.
    """
    try:
        return to_microseconds(instant)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(f"{field}: expected a datetime with a time zone, got {instant!r}") from error
