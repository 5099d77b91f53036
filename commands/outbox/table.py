"""What keeps the messages of an outbox, in the database or in memory."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from eventstore.companion import Insert


class Counts(msgspec.Struct, frozen=True):
    """How many messages an outbox holds.

    Attributes:
        pending: not sent yet, and not parked; those that wait for their next try are among them.
        waiting: those that have failed, and wait for their next try.
        parked: set aside until somebody looks after them.
        sent: sent, and not pruned yet.
        oldest_us: when the first pending one was stored, microseconds since 1970 UTC; None where there is none.
    """

    pending: int
    waiting: int
    parked: int
    sent: int
    oldest_us: int | None


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
