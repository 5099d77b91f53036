"""What keeps the messages of an outbox, in the database or in memory."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.outbox.row import OutboxRow
from eventstore.companion import Insert


class Counts(msgspec.Struct, frozen=True):
    """How an outbox does.

    Attributes:
        pending: how many messages are not sent yet, and not parked; those that wait for their next try are among them.
        waiting: how many have failed, and wait for their next try.
        parked: how many are set aside until somebody looks after them.
        sent: how many were sent, and are not pruned yet.
        oldest_us: when the first pending one was stored, microseconds since 1970 UTC; None where there is none.
        broker_error: why the broker takes no messages; None where it takes them.
        broker_error_us: when it said so last, microseconds since 1970 UTC.
    """

    pending: int
    waiting: int
    parked: int
    sent: int
    oldest_us: int | None = None
    broker_error: str | None = None
    broker_error_us: int | None = None


class OutboxTable(Protocol):
    """Keeps messages in the order in which they were added."""

    def insert(self, connection: Connection | None, events: Sequence[CloudEvent], now_us: int) -> None:
        """Adds messages in a transaction (in one of its own where none is given).

        Raises:
            DuplicateMessage: one of them has the id of a message that is kept already.
        """

    def inserts(self, events: Sequence[CloudEvent], now_us: int) -> list[Insert] | None:
        """Messages as rows to be inserted; None where `insert` has to be asked."""

    def remove(self, ids: Sequence[str]) -> None:
        """Takes messages out again."""

    def page(self, state: str | None, channel: str | None, key: str | None, after: int, limit: int) -> list[OutboxRow]:
        """Messages in their order, after a number; only those in a state, of a channel or of a key, where one is named."""

    def find(self, message_id: str) -> OutboxRow | None:
        """The message with this id."""

    def counts(self) -> Counts:
        """How it does."""

    def unpark(self, row: OutboxRow) -> int:
        """Lets a parked message be sent, and those of its key that are parked only because of it; returns how many they are."""

    def discard(self, row: OutboxRow) -> None:
        """Forgets a parked message, and lets those be sent that are parked only because of it."""

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets up to so many that were sent before an instant; returns how many they were."""
