"""Expected versions: what an append says about the stream it appends to."""

from enum import Enum
from typing import Final, Literal, TypeAlias

from eventstore.bounds import MAX_NUMBER
from eventstore.errors import InvalidInput, WrongExpectedVersion


class Expectation(Enum):
    """The three expectations that are not a number. Use `ANY`, `NO_STREAM` and `STREAM_EXISTS`."""

    ANY = "ANY"
    NO_STREAM = "NO_STREAM"
    STREAM_EXISTS = "STREAM_EXISTS"

    def __str__(self) -> str:
        return self.value


ANY: Final[Literal[Expectation.ANY]] = Expectation.ANY
NO_STREAM: Final[Literal[Expectation.NO_STREAM]] = Expectation.NO_STREAM
STREAM_EXISTS: Final[Literal[Expectation.STREAM_EXISTS]] = Expectation.STREAM_EXISTS

ExpectedVersion: TypeAlias = Expectation | int
"""A version is the number of events in the stream, so the first event has version 1 and 0 means no stream."""


def check_expected(expected: ExpectedVersion) -> ExpectedVersion:
    """Returns `expected` if it is one of the expectations or a version >= 0.

    Raises:
        InvalidInput: it is neither.
    """
    if type(expected) is int and 0 <= expected <= MAX_NUMBER:
        return expected
    if isinstance(expected, Expectation):
        return expected
    raise InvalidInput(
        f"expected version: expected ANY, NO_STREAM, STREAM_EXISTS or an integer of 0 to 2**63 - 1, got {expected!r}"
    )


def verify_expected(stream: str, expected: ExpectedVersion, actual: int) -> None:
    """Holds a stream's version against what an append expects of it.

    Raises:
        WrongExpectedVersion: they differ.
    """
    if expected is ANY:
        return
    wanted = 0 if expected is NO_STREAM else expected
    if (actual == 0) if expected is STREAM_EXISTS else (actual != wanted):
        raise WrongExpectedVersion(stream, expected, actual)
