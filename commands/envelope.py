"""A command on its way, with what travels beside it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from commands.command import Command
from eventstore.identifier import new_id


class Envelope(msgspec.Struct, frozen=True):
    """What middleware sees. To change it on the way, pass `msgspec.structs.replace(envelope, ...)` on.

    Attributes:
        command: the command.
        command_id: a UUID; the events it leads to carry it as their causation id where the command says no cause of its own.
        correlation_id: the conversation that it belongs to; its own id where it begins one.
        causation_id: the message that caused it, such as an event's id; the events it leads to carry it on, so that the log can
            be asked what an event has led to.
        occurred_at: when its events happened in the business, where that is not now.
        metadata: stored beside every event that it leads to.
        idempotency_key: sent again under the same key, the command is answered with what it led to the first time.
        beside: what companions of the log write in the transaction of the append; see `eventstore.companion`.
    """

    command: Command
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    occurred_at: datetime | None = None
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    beside: tuple[object, ...] = ()


def enclose(
    command: Command,
    *,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    occurred_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Envelope:
    """A command in a fresh envelope."""
    command_id = new_id()
    correlation = correlation_id or command_id
    return Envelope(command, command_id, correlation, causation_id, occurred_at, metadata, idempotency_key)
