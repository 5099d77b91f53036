"""The write side's branch of the error tree.

EventfoldError
├── Rejected            a decision refused the command, for a reason of the business
├── NotAuthorised       its sender may not send the command
├── InvalidCommand      fields are missing, unknown, of the wrong type or out of range (an InvalidInput)
├── NoHandler           nothing handles the command (a NotFound)
├── TooManyConflicts    every attempt met a change by somebody else (a Conflict)
├── IdempotencyConflict an idempotency key is that of another command (a Conflict)
├── KeyTaken            an idempotency key was taken and given up again and again (a Conflict)
├── InvalidMessage      a message for others is not acceptable (an InvalidInput)
├── DuplicateMessage    a message has the id of one that is kept already (a Conflict)
├── PublishFailed       the map of `publish=` failed on an event, which was therefore not stored
├── NotDue              a scheduled command was cancelled or done by somebody else meanwhile (a Conflict)
└── BrokerError         a broker did not take or give a message
    ├── BrokerUnavailable   it is away, or did not answer in time; the same is tried again
    └── MessageRefused      it refuses this one, and would again: too large, or nobody to keep it for
"""

from collections.abc import Sequence
from datetime import datetime

from eventstore import Conflict, EventfoldError, InvalidInput, NotFound


class Rejected(EventfoldError):
    """A decision refuses a command. Raise it with a sentence for whoever sent the command; nothing is stored."""

    code = "rejected"
    status = 422


class InvalidCommand(InvalidInput):
    """A command's fields are not acceptable. Nothing was stored.

    Attributes:
        command: the command's name.
        faults: one sentence for each faulty field.
    """

    code = "invalid_command"

    def __init__(self, command: str, faults: Sequence[str]) -> None:
        self.command, self.faults = command, tuple(faults)
        super().__init__(f"{command}: {'; '.join(faults)}")


class NotAuthorised(EventfoldError):
    """Whoever sent a command may not. Nothing was stored.

    Attributes:
        command: the command's name.
        reason: for the sender.
    """

    code = "not_authorised"
    status = 403

    def __init__(self, command: str, reason: str) -> None:
        self.command, self.reason = command, reason
        super().__init__(f"{command}: not allowed: {reason}")


class NoHandler(NotFound):
    """No handler is registered for a command."""

    code = "no_handler"


class TooManyConflicts(Conflict):
    """Every attempt at a command met a change by somebody else. Nothing was stored; dispatch it again later."""

    code = "too_many_conflicts"


class IdempotencyConflict(Conflict):
    """A command came under an idempotency key that another command has used. Nothing was stored; give it a key of its own.

    Of the first command its fingerprint is kept, and not its fields; so it is not known which of them differ.

    Attributes:
        key: the key.
        first: the name of the command that has used it.
        command: the name of the command that came with it now; the same name where only its fields differ.
        stream: where the first command has stored its events; empty where there were none.
        used_at: when the first command was done, in UTC.
    """

    code = "idempotency_conflict"

    def __init__(self, key: str, first: str, command: str, *, stream: str, used_at: datetime) -> None:
        self.key, self.first, self.command = key, first, command
        self.stream, self.used_at = stream, used_at
        when, where = f"{used_at:%Y-%m-%d %H:%M:%S} UTC", f" in stream {stream!r}" if stream else ""
        got = f"one with other fields than that {first}" if first == command else f"a {command}"
        super().__init__(
            f"idempotency key {key!r}: expected the command that used it first, a {first} of {when}{where}, got "
            f"{got}. Give it a key of its own; `eventfold idempotency show {key}` shows what the first one led to."
        )


class KeyTaken(Conflict):
    """An idempotency key is taken by a command that was done at the same time, and is not kept any more. Dispatch it again."""

    code = "key_taken"

    def __init__(self) -> None:
        super().__init__("the idempotency key was taken at the same time, and is not kept any more; dispatch it again")


class InvalidMessage(InvalidInput):
    """A message for others is not acceptable. Nothing was stored."""

    code = "invalid_message"


class DuplicateMessage(Conflict):
    """A message has the id of one that the outbox keeps already. Nothing was stored.

    Attributes:
        message_ids: of the messages that were to be added together; one of them is taken.
    """

    code = "duplicate_message"

    def __init__(self, message_ids: Sequence[str]) -> None:
        self.message_ids = tuple(message_ids)
        super().__init__(
            f"message_id: expected one that no other message has, got {', '.join(message_ids)}; nothing was stored. Leave "
            "`message_id` out, and the outbox makes one."
        )


class PublishFailed(EventfoldError):
    """The map from an event to a message failed. Nothing was stored, unless a publication tells of what was stored before.

    Attributes:
        type: the event's.
        stream: where the event was to go.
        reason: what is wrong.
        position: of the event in the log, where a publication tells of it; 0 where its append was refused.
    """

    code = "publish_failed"
    status = 500

    def __init__(self, name: str, event_type: str, stream: str, reason: str, position: int = 0) -> None:
        self.type, self.stream, self.reason, self.position = event_type, stream, reason, position
        then = (
            f"the event is stored at position {position}, and nobody was told of it"
            if position
            else "nothing was stored. Mend it, and send the command again."
        )
        super().__init__(f"publish: {name} failed on the event {event_type} for stream {stream!r}: {reason}; {then}")


class NotDue(Conflict):
    """A scheduled command was cancelled, or done by somebody else, while it was being dispatched. Nothing was stored.

    Whoever fires scheduled commands takes note of it; only middleware may see it.
    """

    code = "not_due"

    def __init__(self) -> None:
        super().__init__(
            "the scheduled command was cancelled, or done by somebody else, in the meantime; nothing was stored"
        )


class BrokerError(EventfoldError):
    """A broker did not take or give a message."""

    code = "broker_error"
    status = 502


class BrokerUnavailable(BrokerError):
    """A broker is away, or did not answer in time. Whether it has taken the message is unknown; it is handed over again.

    Attributes:
        channel: the one channel that takes nothing for now, since it is full, say; None where it is the whole broker.
    """

    code = "broker_unavailable"
    status = 503

    def __init__(self, message: str, channel: str | None = None) -> None:
        self.channel = channel
        super().__init__(message)


class MessageRefused(BrokerError):
    """A broker refuses a message, and would refuse it again: it is too large, or there is nobody to keep it for."""

    code = "message_refused"
    status = 502
