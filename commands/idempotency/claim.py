"""What a command claims by its idempotency key, and what was kept under it."""

from typing import Any

import msgspec

from commands.errors import IdempotencyConflict
from eventstore.recorded import to_datetime


class Claim(msgspec.Struct, frozen=True):
    """A key that a command comes with.

    Attributes:
        scope: whose key it is.
        key: the key.
        command: the command's name.
        fingerprint: of the command.
        keep_us: for how long its outcome is kept, in microseconds.
        former: the fingerprint that earlier releases have kept of the same command.
    """

    scope: str
    key: str
    command: str
    fingerprint: str
    keep_us: int
    former: str = ""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the first command under a key led to.

    Attributes:
        event_ids: of its receipt's events, in their order; where there are any, the log says the rest.
        stream: as in its receipt, where it stored nothing.
        version: the same.
        position: the same.
        versions: the same.
        rejected: why it was rejected, if it was.
    """

    stream: str = ""
    version: int = 0
    position: int = 0
    versions: dict[str, int] = {}
    event_ids: tuple[str, ...] = ()
    rejected: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """A key as it is kept.

    Attributes:
        scope: whose key it is.
        key: the key.
        command: the name of the command that came first.
        fingerprint: of that command.
        outcome: what it led to.
        kept_us: since when, microseconds since 1970 UTC.
        expires_us: until when, microseconds since 1970 UTC.
    """

    scope: str
    key: str
    command: str
    fingerprint: str
    outcome: Outcome
    kept_us: int
    expires_us: int

    def check(self, claim: Claim) -> Outcome:
        """The outcome, if the command that claims the key is the one that came first.

        Raises:
            IdempotencyConflict: it is another one.
        """
        if self.fingerprint not in {claim.fingerprint, claim.former}:
            used_at = to_datetime(self.kept_us)
            raise IdempotencyConflict(
                self.key, self.command, claim.command, stream=self.outcome.stream, used_at=used_at
            )
        return self.outcome


def read_outcome(text: Any) -> Outcome:
    """An outcome from its stored text."""
    return msgspec.json.decode(text, type=Outcome)
