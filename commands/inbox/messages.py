"""What people see of an inbox: the messages that are set aside, what came of retrying them, and how far each partition is read."""

from datetime import datetime
from typing import Literal

import msgspec

from commands.cloud_event import CloudEvent
from commands.inbox.table import Kept, LaneStatus
from eventstore.recorded import to_datetime


class InboxMessage(msgspec.Struct, frozen=True):
    """A message that a consumer has failed on, or that cannot be read, or one that follows such a one.

    Attributes:
        number: counts up.
        state: "waiting" until it is tried again by itself, "parked" until somebody retries or discards it, "following" until
            those ahead of it under its key are handled.
        group: of its consumer.
        channel: where it came from.
        partition: of the channel.
        position: where it lies in the partition.
        key: None where it could not be told.
        event: None where it cannot be read.
        body: its data; all that came where that cannot be read.
        attempts: how often it was tried.
        error: of the last attempt.
        next_try: when it is tried again by itself.
        kept_at: since when it is here.
        followers: how many messages follow it under its key.
    """

    number: int
    state: Literal["waiting", "parked", "following"]
    group: str
    channel: str
    partition: int
    position: str
    key: str | None
    event: CloudEvent | None
    body: bytes
    attempts: int
    error: str | None
    next_try: datetime | None
    kept_at: datetime
    followers: int = 0


class RetriedMessages(msgspec.Struct, frozen=True):
    """What came of retrying the messages of a key.

    Attributes:
        number: of the first of them.
        group: of their consumer.
        channel: where they came from.
        key: None where it could not be told.
        handled: how many were handled.
        left: how many are still aside.
        error: of the one that the others wait for; None where none is left.
    """

    number: int
    group: str
    channel: str
    key: str | None
    handled: int
    left: int
    error: str | None = None


class InboxStatus(msgspec.Struct, frozen=True):
    """How far a group has read a partition.

    Attributes:
        group: which group.
        channel: of which channel.
        partition: which partition.
        position: of the last message that was handled or set aside; None before the first one.
        moved_at: when it was.
        reader: the consumer process that reads it now; None where none does.
        aside: how many of its messages are set aside.
        parked: how many of those wait for somebody to retry or discard them.
    """

    group: str
    channel: str
    partition: int
    position: str | None
    moved_at: datetime | None
    reader: str | None
    aside: int
    parked: int


def message_of(kept: Kept, *, first: bool, followers: int) -> InboxMessage:
    """A message as people see it."""
    delivery, lane = kept.delivery, kept.lane
    state: Literal["waiting", "parked", "following"] = "following"
    if first:
        state = "parked" if kept.next_try_us is None else "waiting"
    return InboxMessage(
        kept.number,
        state,
        lane.group,
        lane.channel,
        lane.partition,
        delivery.position,
        kept.key,
        delivery.event,
        delivery.body,
        kept.attempts,
        kept.error,
        None if kept.next_try_us is None else to_datetime(kept.next_try_us),
        to_datetime(kept.kept_us),
        followers,
    )


def status_of(found: LaneStatus) -> InboxStatus:
    """The status of a lane as people see it."""
    moved_at = None if found.moved_us is None else to_datetime(found.moved_us)
    lane = found.lane
    return InboxStatus(
        lane.group, lane.channel, lane.partition, found.position, moved_at, found.owner, found.kept, found.parked
    )
