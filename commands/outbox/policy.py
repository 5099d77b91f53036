"""How a relay goes about it."""

from typing import Any

import msgspec

from commands.retry import RetryPolicy
from eventstore import DefinitionError
from eventstore.bounds import MAX_NUMBER

DAY_SECONDS = 24 * 60 * 60
HOLD, SKIP = "hold", "skip"
MOST_AT_ONCE = 10_000


class RelayPolicy(msgspec.Struct, frozen=True):
    """How messages are handed to a broker.

    Attributes:
        retry: how often a message that fails is handed over, and after which pauses. Then it is parked. Tries while the
            broker is away do not count.
        on_parked: `hold` parks what follows under the same key, too, so that the key's order is kept; `skip` goes on with it.
        batch: how many messages are handed over at once.
        keep_sent_seconds: how long messages that were sent can still be looked at.
        streamed: whether PostgreSQL's write-ahead log says what is to be sent, in place of a relay that reads the table. The rows
            are then deleted in the transaction that adds them.

    Raises:
        DefinitionError: a value makes no sense.
    """

    retry: RetryPolicy = RetryPolicy(attempts=8, base_seconds=0.5, max_seconds=300.0)
    on_parked: str = HOLD
    batch: int = 1_000
    keep_sent_seconds: float = DAY_SECONDS
    streamed: bool = False

    def __post_init__(self) -> None:
        """Refuses values that make no sense: they would fail only once there is something to send."""
        batch: Any = self.batch
        keep: Any = self.keep_sent_seconds
        if self.on_parked not in {HOLD, SKIP}:
            raise DefinitionError(f"RelayPolicy: on_parked: expected {HOLD!r} or {SKIP!r}, got {self.on_parked!r}")
        if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MOST_AT_ONCE:
            raise DefinitionError(f"RelayPolicy: batch: expected an integer of 1 to {MOST_AT_ONCE:,}, got {batch!r}")
        if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 <= keep <= MAX_NUMBER / 1e7:
            raise DefinitionError(f"RelayPolicy: keep_sent_seconds: expected seconds, 0 or more, got {keep!r}")
