"""A message as it arrives, read as far as it can be."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import msgspec

from commands.brokers.broker import Delivery
from commands.cloud_event import CloudEvent
from commands.failure import plain
from commands.faults import faults_in
from commands.inbox.consumer import Consumer, Reading
from commands.inbox.group import Group
from commands.message import Message, message_type, message_version
from eventstore.errors import shown

LONGEST = 1_020  # as many as 255 characters may have, which is what an outbox takes
"""Bytes of an id, a source or a key."""

Identity: TypeAlias = tuple[str, str]
"""What tells a message apart from every other one: a source, and an id within it."""


class Readable(msgspec.Struct, frozen=True):
    """A message that somebody wants.

    Attributes:
        consumer: who.
        message: the message.
        event: what travelled with it.
    """

    consumer: Consumer[..., Any]
    message: Message
    event: CloudEvent


class Arrival(msgspec.Struct, frozen=True):
    """A delivery, and what becomes of it.

    Attributes:
        delivery: as the broker gave it.
        key: messages of one key are handled in order; None where it cannot be told.
        identity: None where it cannot be told.
        readable: what its consumer is given; None where nobody wants it, or it cannot be read.
        error: why it is set aside and not handled.
        attempts: how often it was tried in vain.
        next_try_us: when it is tried again, microseconds since 1970 UTC; None where it is not, unless somebody asks for it.
    """

    delivery: Delivery
    key: str | None = None
    identity: Identity | None = None
    readable: Readable | None = None
    error: str | None = None
    attempts: int = 0
    next_try_us: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is handled or set aside, and not passed over."""
        return self.readable is not None or self.error is not None


def read_arrival(group: Group, partition: int, delivery: Delivery) -> Arrival:
    """Reads a delivery for a group. Whatever is wrong with it is in its `error`; nothing is raised."""
    event = delivery.event
    if event is None:
        return Arrival(delivery, error=plain(delivery.error) or "not a CloudEvent", attempts=1)
    consumer = group.consumers.get(event.type)
    if consumer is None:
        return Arrival(delivery)
    try:
        key, identity = _key(group.reading, event), _identity(group.reading, partition, delivery, event)
    except Exception as error:  # noqa: BLE001 - the user's own functions
        return Arrival(delivery, error=f"key= or identify= failed: {told(error)}", attempts=1)
    if unfit := [each for each in (key, *identity) if not _fits(each)]:
        expected = f"expected texts of at most {LONGEST:,} bytes without NUL"
        return Arrival(delivery, error=f"id, source, key: {expected}, got {shown(unfit[0])}", attempts=1)
    try:
        message = _message(consumer, event)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said = "; ".join(faults_in(consumer.messages[event.type], event.data)) or told(error)
        return Arrival(delivery, key, identity, error=f"cannot be read as {event.type}: {plain(said)}", attempts=1)
    return Arrival(delivery, key, identity, Readable(consumer, message, event))


def _fits(text: str) -> bool:
    """Whether every database can keep a text in an index."""
    try:
        return "\0" not in text and len(text.encode()) <= LONGEST
    except UnicodeEncodeError:  # half a character
        return False


def _key(reading: Reading, event: CloudEvent) -> str:
    return event.key if reading.key is None else str(reading.key(event))


def _identity(reading: Reading, partition: int, delivery: Delivery, event: CloudEvent) -> Identity:
    match reading.identify:
        case "event":
            return event.source, event.id
        case "position":
            return f"{reading.channel}/{partition}", delivery.position
        case function:
            return "", str(function(event))


def _message(consumer: Consumer[..., Any], event: CloudEvent) -> Message:
    """The message of a type that the consumer wants.

    Raises:
        ValueError: it is of a newer version than the consumer's class.
        msgspec.MsgspecError: its data does not fit the class.
    """
    cls = consumer.messages[event.type]
    version = _version(event.schema)
    if version is not None and version > message_version(cls):
        raise ValueError(
            f"expected at most version {message_version(cls)} of {message_type(cls)}, got {version}; deploy a consumer that knows "
            "it, and retry"
        )
    return _decoder(cls)(event.data)


@cache
def _decoder(cls: type[Message]) -> Callable[[bytes], Message]:
    return msgspec.json.Decoder(cls).decode


def _version(schema: str | None) -> int | None:
    """The version at the end of `OrderPlaced/2`; None where there is none, as from services that speak otherwise."""
    text = (schema or "").rpartition("/")[2]
    return int(text) if text.isdecimal() else None


def told(error: BaseException) -> str:
    """An error in one line, with its kind."""
    text = " ".join(plain(str(error)).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
