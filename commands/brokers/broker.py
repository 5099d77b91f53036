"""What a broker must do to carry messages. The outbox before it and the inbox behind it make it exactly once in effect.

A channel has partitions, each of which keeps its order. A message goes to the partition of its key. Whoever reads a partition
begins where it was handled last and goes on without gaps, so that it does not matter how often anything is said.
"""

import zlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from commands.cloud_event import CloudEvent

PARTITIONS = 8
"""How many partitions a channel has where nothing else is said."""


class Delivery(msgspec.Struct, frozen=True):
    """A message as a broker delivers it.

    Attributes:
        position: where it lies in its partition: opaque, and understood by the broker that gave it.
        body: what arrived, as bytes; kept for people where it cannot be read.
        event: the message; None where the bytes are not one.
        error: why they are not.
    """

    position: str
    body: bytes
    event: CloudEvent | None
    error: str = ""


class Subscription(Protocol):
    """Reads one partition of a channel, in its order and without gaps."""

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages, at most so many. Waits for the first one; empty where none comes in time.

        Raises:
            BrokerUnavailable: the broker is away. Asked again, it goes on after the last message that it gave, or before.
        """

    async def confirm(self, position: str) -> None:
        """Everything up to there has been handled, and the reader's own position is stored: the broker may forget it."""

    async def close(self) -> None:
        """Ends it. What was not confirmed is delivered again to whoever subscribes next."""


class Broker(Protocol):
    """A connection to a broker, of one event loop. Connects when it is used first, and again after it was lost."""

    description: str
    """The broker for people, without secrets: "NATS 127.0.0.1:4222"."""

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        """Hands messages over, and returns when the broker has confirmed that it keeps each of them.

        What comes ahead under the same key is confirmed first, or else the broker keeps their order whatever fails. Behind a
        message that fails, none of its key is kept.

        Returns:
            For each message, in the order given, None, or why it was not kept: a `BrokerError`. One whose answer is unknown counts
            as not kept, so it may come twice.
        """

    async def partitions(self, channel: str) -> int:
        """How many partitions a channel has, numbered from 0. The channel is made where there is none yet."""

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> Subscription:
        """Reads a partition of a channel.

        Args:
            channel: which one; it is made where there is none yet.
            partition: which of its partitions.
            group: who reads; groups do not notice each other.
            after: the position of the last message that was handled; None begins with the oldest that the broker keeps. A broker
                without positions begins with the oldest that the group has not confirmed.
        """

    async def close(self) -> None:
        """Lets go of the connection."""


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key."""
    return zlib.crc32(key.encode()) % partitions
