"""Idempotency keys in this process's memory, beside a log in memory."""

import threading
from collections.abc import Sequence

from sqlalchemy import Connection

from commands.idempotency.claim import Kept
from eventstore.companion import Insert


class MemoryKeys:
    """See `commands.idempotency.ledger.KeyTable`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], Kept] = {}

    def find(self, scope: str, key: str, now_us: int) -> Kept | None:
        """What is kept under a key, and has not expired."""
        kept = self._rows.get((scope, key))
        return kept if kept is not None and kept.expires_us > now_us else None

    def insert(self, _connection: Connection | None, rows: Sequence[Kept]) -> int:
        """Keeps keys that are new or have expired: all of them, or none."""
        with self._lock:
            if any(self.find(each.scope, each.key, each.kept_us) is not None for each in rows):
                return 0
            self._rows.update({(each.scope, each.key): each for each in rows})
            return len(rows)

    def insert_of(self, _row: Kept) -> Insert | None:
        """None: there is no statement to take part in."""
        return None

    def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        """Forgets keys."""
        with self._lock:
            for each in keys:
                self._rows.pop(each, None)

    def page(self, now_us: int, limit: int) -> list[Kept]:
        """Those that have not expired, the newest first."""
        found = [each for each in list(self._rows.values()) if each.expires_us > now_us]
        return sorted(found, key=lambda each: (-each.kept_us, each.scope, each.key))[:limit]

    def prune(self, now_us: int, limit: int) -> int:
        """Forgets those that have expired."""
        with self._lock:
            gone = [key for key, each in self._rows.items() if each.expires_us <= now_us][:limit]
            for key in gone:
                del self._rows[key]
            return len(gone)
