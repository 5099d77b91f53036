"""What is said where a broker's answer did not come."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from commands.errors import BrokerUnavailable


def unanswered(description: str, error: BaseException, seconds: float, advice: str) -> BrokerUnavailable:
    """The broker is away: after the time that an answer may take, or at once.

    Args:
        description: the broker for people.
        error: what its library says.
        seconds: how long an answer may take.
        advice: what to look at.
    """
    what = str(error).removeprefix("nats: ") or type(error).__name__
    name = type(error).__name__.lower()
    if isinstance(error, TimeoutError) or "timeout" in name or "timedout" in name:
        return BrokerUnavailable(f"{description}: expected an answer within {seconds:g} s, got {what}; {advice}")
    return BrokerUnavailable(f"{description}: expected an answer, got {what}; {advice}")


@contextmanager
def given_up_is_away(description: str) -> Iterator[None]:
    """A library that cancels what it was asked for has not answered. Only whoever asks can be cancelled, by whoever runs it.

    Args:
        description: the broker for people.

    Raises:
        BrokerUnavailable: what was asked for was cancelled, and not the task that asks.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        asking = asyncio.current_task()
        if asking is None or asking.cancelling():
            raise
        raise BrokerUnavailable(
            f"{description}: expected an answer, and its client gave up asking; it is tried again"
        ) from error
