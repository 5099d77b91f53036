"""The outbox in this process's memory, beside a log in memory."""

import threading
from collections.abc import Sequence
from itertools import count
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.errors import DuplicateMessage
from commands.outbox.row import PARKED, PENDING, SENT, WAITING, OutboxRow
from commands.outbox.table import Counts
from eventstore.companion import Insert


class MemoryOutboxTable:
    """See `commands.outbox.table.OutboxTable`.

    Attributes:
        lock: held while messages are looked at or changed.
        relay_error: why the broker takes no messages, and since when; None where it takes them.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.relay_error: tuple[str, int] | None = None
        self._rows: dict[str, OutboxRow] = {}
        self._unsent: dict[str, OutboxRow] = {}
        self._numbers = count(1)

    def insert(self, _connection: Connection | None, events: Sequence[CloudEvent], now_us: int) -> None:
        """Adds messages."""
        ids = [each.id for each in events]
        with self.lock:
            if len(set(ids)) < len(ids) or not self._rows.keys().isdisjoint(ids):
                raise DuplicateMessage(ids)
            for each in events:
                self._rows[each.id] = self._unsent[each.id] = OutboxRow(next(self._numbers), each, now_us)

    def inserts(self, _events: Sequence[CloudEvent], _now_us: int) -> list[Insert] | None:
        """None: there is no statement to take part in."""
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Takes messages out again."""
        with self.lock:
            for each in ids:
                self._rows.pop(each, None)
                self._unsent.pop(each, None)

    def change(self, row: OutboxRow, **fields: Any) -> None:
        """Changes a message that is still there."""
        if row.event.id in self._rows:
            changed = self._rows[row.event.id] = replace(self._rows[row.event.id], **fields)
            if changed.sent_us is None:
                self._unsent[row.event.id] = changed
            else:
                self._unsent.pop(row.event.id, None)

    def pending(self) -> list[OutboxRow]:
        """What is neither sent nor parked."""
        return [each for each in self._unsent.values() if each.parked_us is None]

    def parked_keys(self) -> set[tuple[str, str]]:
        """The channels and keys of what is parked."""
        return {(each.event.channel, each.event.key) for each in self._unsent.values() if each.parked_us is not None}

    def page(self, state: str | None, channel: str | None, key: str | None, after: int, limit: int) -> list[OutboxRow]:
        """Messages in their order."""
        found = [
            each
            for each in list(self._rows.values())
            if each.seq > after
            and (state is None or each.state == state or (state == PENDING and each.state == WAITING))
            and channel in {None, each.event.channel}
            and key in {None, each.event.key}
        ]
        return sorted(found, key=lambda each: each.seq)[:limit]

    def find(self, message_id: str) -> OutboxRow | None:
        """The message with this id."""
        return self._rows.get(message_id)

    def counts(self) -> Counts:
        """How many there are."""
        rows = list(self._rows.values())
        states = [each.state for each in rows]
        pending = [each.created_us for each in rows if each.state in {PENDING, WAITING}]
        waiting, parked, sent = (states.count(each) for each in (WAITING, PARKED, SENT))
        error, at = self.relay_error or (None, None)
        return Counts(len(pending), waiting, parked, sent, min(pending, default=None), error, at)

    def unpark(self, row: OutboxRow) -> int:
        """Lets a parked message be sent, and those of its key that are parked only because of it."""
        with self.lock:
            behind = [each for each in self._parked_like(row) if each.error is None or each.seq == row.seq]
            for each in behind:
                self.change(each, parked_us=None, attempts=0, next_try_us=0, error=None)
            return len(behind)

    def discard(self, row: OutboxRow) -> None:
        """Forgets a parked message, and lets those be sent that are parked only because of it."""
        with self.lock:
            self.remove([row.event.id])
            left = self._parked_like(row)
            if all(each.error is None for each in left):
                for each in left:
                    self.change(each, parked_us=None)

    def _parked_like(self, row: OutboxRow) -> list[OutboxRow]:
        return self.page(PARKED, row.event.channel, row.event.key, 0, len(self._rows))

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets those that were sent before an instant."""
        with self.lock:
            gone = [each for each in self._rows.values() if each.sent_us is not None and each.sent_us < before_us]
            self.remove([each.event.id for each in gone[:limit]])
            return len(gone[:limit])
