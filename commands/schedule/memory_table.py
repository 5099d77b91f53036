"""Scheduled commands in this process's memory, beside a log in memory."""

import threading
from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.schedule.scheduled import Scheduled, State
from commands.schedule.table import ScheduleCounts, Takes


class MemorySchedules:
    """See `commands.schedule.table.ScheduleTable`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rows: dict[str, Scheduled] = {}

    def keep(self, _connection: Connection | None, rows: Sequence[Scheduled]) -> None:
        """Keeps new ones, and named ones that are not there as they are now."""
        with self._lock:
            for row in rows:
                kept = None if row.name is None else self.find(row.name)
                if kept is None or replaces(row, kept):
                    if kept is not None:
                        del self._rows[kept.id]
                    self._put([row])

    def find(self, which: str) -> Scheduled | None:
        """One of them."""
        return self._rows.get(which) or next((each for each in list(self._rows.values()) if each.name == which), None)

    def page(self, states: Sequence[str], limit: int, after: Scheduled | None = None) -> list[Scheduled]:
        """Those in these states, by when they are due; only those after one, where one is given."""
        found = [each for each in list(self._rows.values()) if each.state in states]
        if after is not None:
            found = [each for each in found if (each.due_us, each.id) > (after.due_us, after.id)]
        return sorted(found, key=lambda each: (each.due_us, each.id))[:limit]

    def counts(self, now_us: int) -> ScheduleCounts:
        """How they do."""
        rows = list(self._rows.values())
        due_us = sorted(each.due_us for each in rows if each.state == "waiting")
        due, failed = sum(each <= now_us for each in due_us), sum(each.state == "failed" for each in rows)
        return ScheduleCounts(len(due_us), due, failed, due_us[0] if due_us else None)

    def next_look(self, takes: Takes) -> int | None:
        """When a worker is to look at one next."""
        return min((each.look_us for each in self._waiting(takes)), default=None)

    def lease(self, takes: Takes, now_us: int, until_us: int, owner: str, limit: int) -> list[Scheduled]:
        """Takes what is due in hand."""
        with self._lock:
            due = sorted((each for each in self._waiting(takes) if each.look_us <= now_us), key=lambda row: row.look_us)
            return self._put(replace(each, owner=owner, look_us=until_us) for each in due[:limit])

    def renew(self, owner: str, until_us: int) -> None:
        """Has others leave alone what an owner has in hand."""
        with self._lock:
            mine = [each for each in self._rows.values() if each.state == "waiting" and each.owner == owner]
            self._put(replace(each, look_us=until_us) for each in mine)

    def take(self, which: str, until_us: int, owner: str) -> Scheduled | None:
        """Takes one in hand."""
        with self._lock:
            row = self.find(which)
            if row is None or row.state not in {"waiting", "failed"}:
                return None
            return self._put([replace(row, owner=owner, look_us=until_us, state="waiting", ended_us=None)])[0]

    def move(self, _connection: Connection | None, moves: Sequence[tuple[Scheduled, Scheduled]]) -> int:
        """Puts each row in the place of the one before it."""
        with self._lock:
            return len(self._put(after for before, after in moves if self._stands(before)))

    def cancel(self, which: str, now_us: int) -> bool:
        """Ends one that waits or has failed."""
        with self._lock:
            row = self.find(which)
            if row is None or row.state not in {"waiting", "failed"}:
                return False
            self._put([replace(row, state="cancelled", owner=None, ended_us=now_us)])
            return True

    def prune(self, state: State, before_us: int, limit: int) -> int:
        """Forgets those that have ended."""
        with self._lock:
            ended = [each for each in self._rows.values() if each.state == state and not each.declared]
            gone = [each for each in ended if (each.ended_us or 0) < before_us][:limit]
            for each in gone:
                del self._rows[each.id]
            return len(gone)

    def forget(self, rows: Sequence[Scheduled], moves: Sequence[tuple[Scheduled, Scheduled]]) -> None:
        """Takes back what was kept and moved."""
        with self._lock:
            for each in rows:
                self._rows.pop(each.id, None)
            self._put(before for before, _ in moves)

    def _put(self, rows: Iterable[Scheduled]) -> list[Scheduled]:
        put = list(rows)
        self._rows.update({each.id: each for each in put})
        return put

    def _waiting(self, takes: Takes) -> Iterable[Scheduled]:
        return (each for each in list(self._rows.values()) if each.state == "waiting" and takes.takes(each))

    def _stands(self, before: Scheduled) -> bool:
        now = self._rows.get(before.id)
        return now is not None and now.state == "waiting" and (now.due_us, now.fired) == (before.due_us, before.fired)


def replaces(row: Scheduled, kept: Scheduled) -> bool:
    """Whether a named one takes the place of the one that is kept under its name."""
    return row.declaration != kept.declaration or (kept.state != "waiting" and not row.declared)
