"""What a consumer is given beside the message: where it comes from, and what can be done in its transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.command import Command
from commands.inbox.effects import Effects
from commands.message import Message
from commands.outbox.publish import Outgoing
from eventstore import ANY, Event, ExpectedVersion, NewEvent
from eventstore.recorded import to_datetime


class Received:
    """A message on its way through a consumer. Whatever is done by it is stored with the fact that it was handled, or not at all.

    Attributes:
        message: the message.
        event: what travelled with it.
        group: of the consumer.
        partition: of the channel, from 0.
        position: where it lies in the partition; opaque.
        attempt: how often it is tried with this time, from 1.
    """

    __slots__ = ("_effects", "attempt", "event", "group", "message", "partition", "position")

    def __init__(
        self,
        message: Message,
        event: CloudEvent,
        effects: Effects,
        group: str,
        partition: int,
        position: str,
        attempt: int,
    ) -> None:
        self.message, self.event, self._effects = message, event, effects
        self.group, self.partition, self.position, self.attempt = group, partition, position, attempt

    @property
    def id(self) -> str:
        """Of the message: with `source`, told apart from every other one."""
        return self.event.id

    @property
    def source(self) -> str:
        """The service that said it."""
        return self.event.source

    @property
    def type(self) -> str:
        """The stable name of its class."""
        return self.event.type

    @property
    def channel(self) -> str:
        """Where it came from."""
        return self.event.channel

    @property
    def key(self) -> str:
        """Messages of one key come in order."""
        return self.event.key

    @property
    def subject(self) -> str | None:
        """What it is about."""
        return self.event.subject

    @property
    def time(self) -> datetime:
        """When what it says happened."""
        return to_datetime(self.event.time_us)

    @property
    def headers(self) -> Mapping[str, str]:
        """Every other attribute that came with it."""
        return self.event.headers

    @property
    def correlation_id(self) -> str:
        """The conversation that it belongs to; its own id where it does not say."""
        return self.event.headers.get("correlationid", self.event.id)

    @property
    def connection(self) -> Connection:
        """The transaction's connection, for SQL of one's own. Whoever has called the consumer commits it, and nobody else.

        Raises:
            Unsupported: the inbox is in memory.
        """
        return self._effects.connection

    def dispatch(self, command: Command, **options: Any) -> tuple[Any, ...]:
        """Validates and decides a command, and has its events stored with the rest. See `UnitOfWork.dispatch`.

        It sees what was decided before in this transaction. Where somebody else has moved one of its streams meanwhile, the
        message is handled anew. Unless the options say otherwise, it carries on the message's conversation, and names the
        message as its cause.

        Args:
            command: the command.
            options: as for `Application.dispatch`, but for `idempotency_key`: a message is handled once anyway.

        Returns:
            The events that it leads to.

        Raises:
            Unsupported: the inbox has no log.
            Rejected: the decision refuses it.
        """
        caused = {"correlation_id": self.correlation_id, "causation_id": self.event.id}
        return self._effects.unit.dispatch(command, **(caused | options))

    def append(self, stream: str, events: Sequence[Event | NewEvent[Any]], *, expected: ExpectedVersion = ANY) -> None:
        """Takes events to be stored with the rest. See `UnitOfWork.append`.

        Raises:
            Unsupported: the inbox has no log.
            WrongExpectedVersion: the stream will be at another version.
        """
        self._effects.unit.append(stream, events, expected=expected)

    def publish(self, *messages: Outgoing) -> tuple[str, ...]:
        """Takes messages for the outbox, to be sent once all is stored.

        What they do not say themselves they take over: the key and the conversation; and the message is their cause.

        Args:
            messages: plain or as `NewMessage`.

        Returns:
            Their ids.

        Raises:
            Unsupported: there is no outbox.
            InvalidMessage: one of them is not acceptable.
        """
        return self._effects.publish(messages, self.event, self.correlation_id)
