"""Parked events: those that a row could not take, which wait aside with their followers of the same key while all else goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from eventstore import DefinitionError
from projections.model import Model

NO_KEY = "null"
"""Under it wait events whose key could not be told."""


class Poison(msgspec.Struct, frozen=True):
    """What is done about an event that a live row cannot take.

    Attributes:
        attempts: how often it is tried before it is parked; None to stand still before it until it is mended.
        pause: seconds before the second attempt; before each later one twice as many, at most 5.
    """

    attempts: int | None = 3
    pause: float = 0.1

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            DefinitionError: one of them makes no sense.
        """
        found = self.attempts
        if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < 1):
            raise DefinitionError(
                f"Poison: attempts: expected an integer from 1, or None to stand still, got {found!r}"
            )
        if isinstance(self.pause, bool) or not isinstance(self.pause, (int, float)) or not self.pause >= 0:
            raise DefinitionError(f"Poison: pause: expected a number of seconds >= 0, got {self.pause!r}")


POISON = Poison()


class Parked(msgspec.Struct, frozen=True):
    """An event that waits aside for a key: the one at fault, or one of the same key after it.

    Attributes:
        key: as JSON text; `NO_KEY` where `key=` itself failed.
        position: of the event.
        error: what is wrong with it; None of those that only follow.
        attempts: how often it was tried.
        parked_us: since when, microseconds since 1970 UTC; given by the target.
    """

    key: str
    position: int
    error: str | None = None
    attempts: int = 0
    parked_us: int = 0


class ParkedKey(msgspec.Struct, frozen=True):
    """The events that wait aside for one key.

    Attributes:
        partition: that the key belongs to.
        key: as JSON text; `NO_KEY` where `key=` itself failed.
        position: of the first one. The row is as it was before it.
        events: how many they are.
        attempts: how often the first one was tried.
        error: what is wrong with it.
        parked_us: since when, microseconds since 1970 UTC.
    """

    partition: int
    key: str
    position: int
    events: int
    attempts: int
    error: str | None
    parked_us: int


class Mended(msgspec.Struct, frozen=True):
    """What becomes of events that waited aside for one key, or of a row that is not what the log makes of it.

    Attributes:
        key: as JSON text.
        partition: that the key belongs to.
        epoch: the one that the checkpoint must have. It is raised, so that whoever folds on as if nothing had happened is refused.
        gone: positions of the events that wait no longer; each of them must still wait.
        rows: the key's row, if they were folded into it, or it was mended.
        events: how many of them count as folded.
        discarded: whether they were given up.
        still: the first one that goes on waiting, with what is wrong with it now.
        position: where the partition must stand; None where that does not matter.
        as_of: up to where a mended row contains everything, which may be after the partition's position; that of a row into which
            waiting events were folded is the last of these.
    """

    key: str
    partition: int
    epoch: int
    gone: Sequence[int] = ()
    rows: Mapping[Any, Any] = {}
    events: int = 0
    discarded: bool = False
    still: Parked | None = None
    position: int | None = None
    as_of: int | None = None


def key_text(key: Any) -> str:
    """A row's key as JSON text."""
    return msgspec.json.encode(int(key) if isinstance(key, int) else key).decode()


def read_key(model: Model, text: str) -> Any:
    """The key that a JSON text stands for; None for `NO_KEY`."""
    return None if text == NO_KEY else msgspec.convert(msgspec.json.decode(text), model.key.type, strict=False)
