"""A message as the outbox keeps it."""

from datetime import datetime

import msgspec

from commands.cloud_event import SPEC_VERSION, CloudEvent
from eventstore.recorded import to_datetime, to_microseconds

PENDING, WAITING, PARKED, SENT = "pending", "waiting", "parked", "sent"
STATES = (PENDING, WAITING, PARKED, SENT)

_decode_attributes = msgspec.json.Decoder(dict[str, str]).decode


class OutboxRow(msgspec.Struct, frozen=True, gc=False):  # in thousands, and without cycles
    """A message in the outbox.

    Attributes:
        seq: its number: messages of one key are sent in the order of their numbers.
        event: the message.
        created_us: when it was stored, microseconds since 1970 UTC.
        attempts: how often it was handed to a broker in vain.
        next_try_us: not before that instant is it handed over again; 0 where it was never tried.
        error: why the last try failed; None where there was none.
        parked_us: since when it is parked; None where it is not. One without an error waits for a parked one of its key.
        sent_us: when a broker confirmed it; None where none has.
    """

    seq: int
    event: CloudEvent
    created_us: int
    attempts: int = 0
    next_try_us: int = 0
    error: str | None = None
    parked_us: int | None = None
    sent_us: int | None = None

    @property
    def state(self) -> str:
        """`sent`, `parked`, `waiting` for its next try, or `pending`."""
        if self.sent_us is not None:
            return SENT
        if self.parked_us is not None:
            return PARKED
        return WAITING if self.attempts else PENDING

    @property
    def created_at(self) -> datetime:
        """When it was stored, in UTC."""
        return to_datetime(self.created_us)


def attributes_of(event: CloudEvent) -> str:
    """The attributes of a message that have no column of their own, as a JSON object of texts."""
    found = {"specversion": SPEC_VERSION, "source": event.source, "time": to_datetime(event.time_us)}
    if event.subject is not None:
        found["subject"] = event.subject
    if event.schema is not None:
        found["dataschema"] = event.schema
    return msgspec.json.encode(found | dict(event.headers)).decode()


def event_of(message_id: str, channel: str, key: str, kind: str, payload: str, attributes: str | bytes) -> CloudEvent:
    """The message that these columns hold."""
    headers = _decode_attributes(attributes)
    headers.pop("specversion")
    return CloudEvent(
        id=message_id,
        source=headers.pop("source"),
        type=kind,
        data=payload.encode(),
        channel=channel,
        key=key,
        time_us=to_microseconds(datetime.fromisoformat(headers.pop("time"))),
        subject=headers.pop("subject", None),
        schema=headers.pop("dataschema", None),
        headers=headers,
    )
