"""Where an inbox keeps what it knows: how far it has read, what was handled, and what is set aside."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from commands.brokers.broker import Delivery
from commands.cloud_event import CloudEvent
from commands.inbox.arrival import Arrival, Identity


class Lane(msgspec.Struct, frozen=True):
    """A partition of a channel, as one group reads it."""

    group: str
    channel: str
    partition: int


class Mark(msgspec.Struct, frozen=True):
    """How far a lane is read.

    Attributes:
        position: of the last message that was handled or set aside; None before the first one.
        moves: how often it has moved. Whoever moves it has to know this number, so that nobody moves it from where it is not.
    """

    position: str | None = None
    moves: int = 0


class Kept(msgspec.Struct, frozen=True):
    """A message that is set aside, with what follows it under its key.

    Attributes:
        number: counts up, in the order in which they are to be handled.
        lane: where it came from.
        delivery: as the broker gave it.
        key: None where it could not be told; then nothing follows it.
        identity: None where it could not be told.
        attempts: how often it was tried; 0 where it only waits for those ahead of it.
        error: of the last attempt.
        next_try_us: when it is tried again by itself, microseconds since 1970 UTC; None where it is not.
        kept_us: since when, microseconds since 1970 UTC.
    """

    number: int
    lane: Lane
    delivery: Delivery
    key: str | None
    identity: Identity | None
    attempts: int
    error: str | None
    next_try_us: int | None
    kept_us: int


class LaneStatus(msgspec.Struct, frozen=True):
    """How a lane does.

    Attributes:
        lane: which one.
        position: of the last message that was handled or set aside; None before the first one.
        moved_us: since when, microseconds since 1970 UTC.
        owner: the consumer process that reads it; None where none does.
        kept: how many messages are set aside.
        parked: how many of those wait for somebody to retry or discard them.
    """

    lane: Lane
    position: str | None
    moved_us: int | None
    owner: str | None
    kept: int
    parked: int


class InboxTable(Protocol):
    """The tables of an inbox. What takes a connection is done in its transaction; None stands for an inbox in memory.

    Attributes:
        shares: whether several transactions can be under way at once in one lane.
    """

    @property
    def shares(self) -> bool:
        """See the class."""

    def transaction(self) -> AbstractContextManager[Connection | None]:
        """Begins a transaction that waits for the disk. In memory, one at a time, of which nothing is ever undone.

        Raises:
            Conflict: it was in the way of another one, and is to be tried again.
            ConsumerFailed: it cannot be committed, since what was written breaks a constraint that is looked at only then.
        """

    def check(self, connection: Connection | None) -> None:
        """Refuses to go on in a transaction that a consumer has ended or broken.

        Raises:
            ConsumerFailed: it cannot be committed any more.
        """

    def lock(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands; nobody else locks it until the transaction ends. It begins where there is none yet."""

    def share(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands that others may share, too; nobody locks or claims it until their transactions end."""

    def claim(self, lane: Lane, moves: int) -> bool:
        """Raises the number of a lane's moves where it is as given, and leaves its position; whether it was.

        In a transaction of its own, which a power cut may take away with all that comes after it.
        """

    def handled(self, connection: Connection | None, group: str, identities: Sequence[Identity]) -> set[Identity]:
        """Those of some messages that were handled or set aside before."""

    def keys_aside(self, connection: Connection | None, lane: Lane, keys: Collection[str]) -> set[str]:
        """Those of some keys that have messages aside."""

    def settle(
        self,
        connection: Connection | None,
        lane: Lane,
        identities: Sequence[Identity],
        aside: Sequence[Arrival],
        now_us: int,
    ) -> bool:
        """Notes that messages were handled or set aside, and keeps the latter.

        Args:
            connection: the transaction's.
            lane: where they come from.
            identities: of all of them, in their natural order, so that nobody waits in a circle.
            aside: those that are set aside.
            now_us: the instant.

        Returns:
            False where one of them was handled meanwhile, elsewhere: nothing of this may be committed then.
        """

    def move(self, connection: Connection | None, lane: Lane, mark: Mark, now_us: int) -> None:
        """Moves a lane that is locked."""

    def head(self, connection: Connection | None, lane: Lane, key: str | None, number: int) -> Kept | None:
        """The first message aside under a key; without a key, that with a number. Without a connection, as it is just now."""

    def done(self, connection: Connection | None, kept: Kept, now_us: int) -> None:
        """Forgets a message that is set aside, and has what follows it under its key tried now."""

    def failed(self, connection: Connection | None, kept: Kept) -> None:
        """Keeps the attempts, the error and the next try of a message that is set aside."""

    def due(self, lane: Lane, now_us: int) -> list[Kept]:
        """Messages that it is time to try again; where there are many, the first of them."""

    def next_try(self, lane: Lane) -> int | None:
        """When the next one is to be tried again, microseconds since 1970 UTC."""

    def heads(self, limit: int, after: int) -> list[tuple[Kept, int]]:
        """The messages aside that are the first ones of their keys, each with how many follow it, by number."""

    def find(self, number: int) -> Kept | None:
        """A message that is set aside."""

    def followers(self, kept: Kept) -> list[Kept]:
        """What follows a message under its key."""

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets that messages were handled, up to so many that were so before an instant; returns how many they were."""

    def status(self) -> list[LaneStatus]:
        """How each lane does."""

    def beat(self, group: str, channel: str, name: str, seconds: float) -> list[str]:
        """Counts a reader as alive for so long, and names all that are, in one order for everybody."""

    def leave(self, group: str, channel: str, name: str) -> None:
        """Counts a reader no longer, and gives its lanes free."""

    def owners(self, group: str, channel: str) -> dict[int, str]:
        """Who has which lane of a channel, where somebody has, and has not let the time pass."""

    def lease(self, group: str, channel: str, partitions: Sequence[int], name: str, seconds: float) -> None:
        """Has a reader own lanes for so long that nobody else owns."""

    def release(self, group: str, channel: str, partitions: Sequence[int], name: str) -> None:
        """Gives lanes free that a reader owns."""


def attributes_of(event: CloudEvent | None) -> str | None:
    """All of a message but its data, as it is kept beside its body."""
    return None if event is None else msgspec.json.encode(msgspec.structs.replace(event, data=b"")).decode()


def delivery_of(position: str, body: bytes, attributes: str | None, error: str | None) -> Delivery:
    """A delivery from what was kept of it."""
    if attributes is None:
        return Delivery(position, body, None, error or "")
    event = msgspec.json.decode(attributes, type=CloudEvent)
    return Delivery(position, body, msgspec.structs.replace(event, data=body))
