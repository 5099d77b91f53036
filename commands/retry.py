"""How often, and after which pauses, a conflicting command is tried again."""

import random
from typing import Any

import msgspec

from eventstore import DefinitionError, InvalidInput
from eventstore.bounds import check_seconds


class RetryPolicy(msgspec.Struct, frozen=True):
    """Bounded attempts with full jitter: each pause is drawn evenly from 0 to a ceiling that doubles.

    Source: Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Attributes:
        attempts: how often the command is decided at most, the first time included.
        base_seconds: the first pause's ceiling.
        max_seconds: no pause is longer.

    Raises:
        DefinitionError: a number makes no sense.
    """

    attempts: int = 10
    base_seconds: float = 0.002
    max_seconds: float = 0.25

    def __post_init__(self) -> None:
        """Refuses numbers that make no sense: they would fail only once there is a conflict."""
        attempts: Any = self.attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise DefinitionError(f"RetryPolicy: attempts: expected a positive integer, got {attempts!r}")
        try:
            check_seconds("RetryPolicy: base_seconds", self.base_seconds)
            check_seconds("RetryPolicy: max_seconds", self.max_seconds)
        except InvalidInput as error:
            raise DefinitionError(str(error)) from error

    def pause(self, attempt: int) -> float:
        """The pause after the given failed attempt (from 1), in seconds."""
        ceiling = min(self.max_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        return random.uniform(0.0, ceiling)  # noqa: S311 - spreads load, guards no secret
