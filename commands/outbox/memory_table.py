"""The outbox in this process's memory, beside a log in memory."""

import threading
from collections.abc import Sequence
from itertools import count

from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.errors import DuplicateMessage
from commands.outbox.row import OutboxRow
from eventstore.companion import Insert


class MemoryOutboxTable:
    """See `commands.outbox.table.OutboxTable`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.rows: dict[str, OutboxRow] = {}
        self._numbers = count(1)

    def insert(self, _connection: Connection | None, events: Sequence[CloudEvent], now_us: int) -> None:
        """Adds messages."""
        ids = [each.id for each in events]
        with self.lock:
            if len(set(ids)) < len(ids) or not self.rows.keys().isdisjoint(ids):
                raise DuplicateMessage(ids)
            self.rows.update({each.id: OutboxRow(next(self._numbers), each, now_us) for each in events})

    def inserts(self, _events: Sequence[CloudEvent], _now_us: int) -> list[Insert] | None:
        """None: there is no statement to take part in."""
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Takes messages out again."""
        with self.lock:
            for each in ids:
                self.rows.pop(each, None)
