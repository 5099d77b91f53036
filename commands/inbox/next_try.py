"""When a message is tried again."""

from commands.clock import now_us
from commands.retry import RetryPolicy


def next_try(retry: RetryPolicy, attempts: int) -> int | None:
    """The instant of the next attempt, microseconds since 1970 UTC; None where there were enough of them."""
    return None if attempts >= retry.attempts else now_us() + int(retry.pause(attempts) * 1e6)
