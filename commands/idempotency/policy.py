"""How long idempotency keys are kept, whose they are, and what is kept under them."""

from collections.abc import Callable
from typing import Any

import msgspec

from commands.envelope import Envelope
from commands.idempotency.claim import Claim
from commands.idempotency.fingerprint import fingerprint, former_fingerprint
from eventstore import DefinitionError, InvalidInput

DAY_SECONDS = 24 * 60 * 60
MAX_SECONDS = 100 * 365 * DAY_SECONDS
MAX_LENGTH = 255


def everybody(_envelope: Envelope) -> str:
    """One scope for all."""
    return ""


class Idempotency(msgspec.Struct, frozen=True):
    """How idempotency keys are kept.

    Attributes:
        keep_seconds: how long a key is remembered; afterwards the same key is a new one.
        scope: from an envelope to whose key it is, such as a tenant or a user: keys of different scopes are different keys.
        keep_rejections: whether a command that a decision rejected stays rejected under its key. Otherwise it is decided again.

    Raises:
        DefinitionError: the time makes no sense.
    """

    keep_seconds: float = DAY_SECONDS
    scope: Callable[[Envelope], str] = everybody
    keep_rejections: bool = False

    def __post_init__(self) -> None:
        """Refuses a time that makes no sense."""
        given: Any = self.keep_seconds
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given <= MAX_SECONDS:
            expected = f"expected seconds, more than 0 and at most {MAX_SECONDS:,} (a hundred years)"
            raise DefinitionError(f"Idempotency: keep_seconds: {expected}, got {given!r}")

    def claim(self, envelope: Envelope) -> Claim | None:
        """What a command claims; None where it has no key.

        Raises:
            InvalidInput: the key or its scope is not acceptable.
        """
        if envelope.idempotency_key is None:
            return None
        key = _checked("idempotency_key", envelope.idempotency_key, least=1)
        scope = _checked("the scope of the idempotency key", self.scope(envelope), least=0)
        command = envelope.command
        keep_us = int(self.keep_seconds * 1e6)
        return Claim(scope, key, type(command).__name__, fingerprint(command), keep_us, former_fingerprint(command))


def _checked(field: str, value: Any, *, least: int) -> str:
    if isinstance(value, str) and least <= len(value) <= MAX_LENGTH and (value == "" or value.isprintable()):
        return value
    raise InvalidInput(f"{field}: expected a text of {least} to {MAX_LENGTH} printable characters, got {value!r}")
