"""Relays over an outbox in memory."""

from collections import Counter
from itertools import groupby

from commands.outbox.memory_table import MemoryOutboxTable
from commands.outbox.relaying import NONE, START, Ends, Key, Verdict, key_of
from commands.outbox.row import OutboxRow


class MemoryRelaying:
    """See `commands.outbox.relaying.RelayTable`."""

    def __init__(self, table: MemoryOutboxTable) -> None:
        self._table = table
        self._busy: Counter[Key] = Counter()

    def take(
        self, _owner: str, _after: Key, limit: int, now_us: int, *, hold: bool, ahead: Ends = NONE
    ) -> "MemoryTaken":
        """Messages to hand over, the oldest first: to look at all keys costs little here."""
        with self._table.lock:
            waiting: list[int] = []
            rows: list[OutboxRow] = []
            for key, pending in self._pending(now_us, hold=hold).items():
                first, last = ahead.get(key, (pending[0].seq, 0))
                if (self._busy[key] and key not in ahead) or pending[0].seq != first:
                    continue
                found = [each for each in pending if each.seq > last]
                if not found:
                    continue
                if found[0].next_try_us > now_us:
                    waiting.append(found[0].next_try_us)
                elif len(rows) < limit:
                    rows += found[: limit - len(rows)]
            return MemoryTaken(self._table, self._busy, rows, min(waiting, default=None))

    def _pending(self, now_us: int, *, hold: bool) -> dict[Key, list[OutboxRow]]:
        parked = self._table.parked_keys() if hold else set()
        ordered = sorted(self._table.pending(), key=lambda each: (key_of(each), each.seq))
        keys = {key: list(rows) for key, rows in groupby(ordered, key_of)}
        for key in parked & keys.keys():
            for each in keys.pop(key):
                self._table.change(each, parked_us=now_us)
        return dict(sorted(keys.items(), key=lambda each: each[1][0].seq))

    def release(self, _owner: str) -> None:
        """Nothing to do: each message is let go by itself."""

    def told(self, error: str | None, now_us: int) -> None:
        """Keeps why the broker takes no messages."""
        self._table.relay_error = None if error is None else (error, now_us)


class MemoryTaken:
    """See `commands.outbox.relaying.Taken`."""

    after = START

    def __init__(
        self, table: MemoryOutboxTable, busy: Counter[Key], rows: list[OutboxRow], retry_us: int | None
    ) -> None:
        self.rows, self.retry_us = rows, retry_us
        self._table, self._busy, self._keys = table, busy, {key_of(each) for each in rows}
        busy.update(self._keys)

    def settle(self, verdict: Verdict, now_us: int) -> bool:
        """Says what became of them."""
        with self._table.lock:
            for row in verdict.sent:
                self._table.change(row, sent_us=now_us, error=None)
            for each in verdict.failed:
                parked = now_us if each.next_try_us is None else None
                next_try = each.next_try_us or 0
                self._table.change(
                    each.row, attempts=each.attempts, next_try_us=next_try, error=each.error, parked_us=parked
                )
            self.drop()
        return True

    def drop(self) -> None:
        """Lets them go."""
        with self._table.lock:
            self._busy.subtract(self._keys)
            self._keys = set()  # from now on they may be another relay's
