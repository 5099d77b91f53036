"""Messages: what a service says to others, as frozen Structs with a stable name and an integer version.

A message is a contract with somebody else, and an event is not: it may change with the code that writes it. So what leaves the
process is declared apart, and mapped from events by pure functions.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

import msgspec

from eventstore import DefinitionError
from eventstore.frozen import FrozenMeta, options_of

M = TypeVar("M", covariant=True)

MAX_NAME = 120
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))  # see FrozenMeta
class Message(msgspec.Struct, metaclass=FrozenMeta):
    """Something that a service tells others.

        class OrderPlaced(Message, channel="orders", version=2):
            order_id: str
            total: int

    Its name on the wire is the class's own name and its version is 1, unless the class says otherwise (`message_type=`,
    `version=`). `channel` is where it goes when nothing else is said: a topic, a stream or an exchange of the broker.

    Raises:
        DefinitionError: a name is not acceptable, or the version is not a positive integer.
    """

    __allowed_options__: ClassVar[frozenset[str]] = frozenset({"message_type", "version", "channel"})

    @classmethod
    def __check_options__(cls) -> None:
        message_type(cls)
        message_version(cls)
        channel_of(cls)


class NewMessage(msgspec.Struct, Generic[M], frozen=True):
    """Wraps a message where it needs more than its fields. A plain one can be sent as it is.

    Attributes:
        message: the message.
        key: messages of one key arrive in the order in which they were sent; by default the id of the stream whose event or
            command led to it, and the message's own id where there is none.
        channel: where it goes; by default its class's channel.
        message_id: a UUID that is never used for another message; by default a fresh one.
        subject: what it is about, for those who filter; by default the key.
        occurred_at: when what it says happened; by default now.
        headers: a text for each name, passed on beside it.
        correlation_id: the conversation that it belongs to.
        causation_id: the message or event that caused it.
    """

    message: M
    key: str | None = None
    channel: str | None = None
    message_id: str | None = None
    subject: str | None = None
    occurred_at: datetime | None = None
    headers: Mapping[str, str] | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


@cache
def message_type(cls: type[Message]) -> str:
    """The stable name of a message's class on the wire."""
    return _name(cls, "message_type", options_of(cls).get("message_type", cls.__name__))


@cache
def message_version(cls: type[Message]) -> int:
    """The version of a message's class; 1 unless declared."""
    version = options_of(cls).get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DefinitionError(f"{cls.__qualname__}: version: expected a positive integer, got {version!r}")
    return version


@cache
def channel_of(cls: type[Message]) -> str | None:
    """Where messages of a class go when nothing else is said; None where the class does not say."""
    channel = options_of(cls).get("channel")
    return None if channel is None else _name(cls, "channel", channel)


def _name(cls: type[Message], option: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME or not _NAME.fullmatch(value):
        raise DefinitionError(
            f"{cls.__qualname__}: {option}: expected 1 to {MAX_NAME} letters, digits, dots, dashes and underscores, got {value!r}"
        )
    return value
