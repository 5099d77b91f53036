"""What a broker says of the channels of messages that are handed to it, and what becomes of those of a channel that it refuses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from commands.brokers.waves import Outcome
from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable

T = TypeVar("T")


async def of_each_channel(
    events: Sequence[CloudEvent], ask: Callable[[str], Awaitable[T]], outcomes: dict[int, Outcome]
) -> dict[str, T]:
    """What the broker says of each channel. Where it refuses one, that is what becomes of its messages, and of no others.

    Raises:
        BrokerUnavailable: it is away.
    """
    found: dict[str, T] = {}
    for channel in dict.fromkeys(each.channel for each in events):
        try:
            found[channel] = await ask(channel)
        except BrokerUnavailable:
            raise
        except BrokerError as error:
            outcomes.update((place, error) for place, each in enumerate(events) if each.channel == channel)
    return found


def channel_refused(description: str, channel: str, error: BaseException) -> BrokerError:
    """What is said where a broker lives, and does not let us have a channel."""
    return BrokerError(
        f"{description}: channel {channel}: expected to be given it, got {str(error) or type(error).__name__}; see whether this "
        "user may make, read and write it, and whether something else has its name"
    )
