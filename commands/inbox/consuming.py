"""How messages are consumed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from commands.inbox.chain import Chain, ConsumerMiddleware
from eventstore import DefinitionError

DAY_SECONDS = 24 * 60 * 60
MAX_SECONDS = 100 * 365 * DAY_SECONDS
MAX_NUMBER = 10_000


class Consuming(msgspec.Struct, frozen=True):
    """How an inbox consumes messages.

    Attributes:
        batch: up to so many messages are handled in one transaction. Where a consumer fails, its half of them is tried again.
        parallel: so many partitions are handled at once in one process, each in a transaction of its own.
        parallel_keys: so many keys of one partition may be handled at once, in transactions of their own, within what `parallel`
            allows. Worth it where consumers wait for something else than the database. Only on PostgreSQL: SQLite has one writer.
        keep_seconds: how long it is remembered that a message was handled. A broker that repeats it later has it handled again.
        middleware: `(received, call_next)`, around every consumer, the first one outermost.

    Raises:
        DefinitionError: a number makes no sense, or something is no middleware.
    """

    batch: int = 100
    parallel: int = 8
    parallel_keys: int = 1
    keep_seconds: float = 7 * DAY_SECONDS
    middleware: Sequence[ConsumerMiddleware] = ()

    def __post_init__(self) -> None:
        """Refuses what makes no sense."""
        for field in ("batch", "parallel", "parallel_keys"):
            given: Any = getattr(self, field)
            if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MAX_NUMBER:
                raise DefinitionError(f"Consuming: {field}: expected a number from 1 to {MAX_NUMBER:,}, got {given!r}")
        seconds: Any = self.keep_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MAX_SECONDS:
            expected = f"expected seconds, more than 0 and at most {MAX_SECONDS:,} (a hundred years)"
            raise DefinitionError(f"Consuming: keep_seconds: {expected}, got {seconds!r}")
        Chain(self.middleware)
