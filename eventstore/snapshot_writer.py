"""Writes snapshots in a thread, after the append that they follow, so that nobody waits for them."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from eventstore.aggregate import Aggregate, policy_of
from eventstore.errors import EventfoldError
from eventstore.loading import fold_appended
from eventstore.snapshot import NewSnapshot, SnapshotTable, encode_state, kind_of

MAX_WAITING = 1_000
"""How many streams may wait for their snapshot; further ones go without, until their next append."""

log = logging.getLogger("eventfold.snapshots")


class Work(NamedTuple):
    """A state and the events that were appended to it: together they are the snapshot."""

    state: Aggregate[Any]
    events: Sequence[Any]
    version: int
    event_id: str


class SnapshotWriter:
    """A queue with a thread of its own, which begins with the first snapshot and ends with `close`.

    A stream waits once, with its newest state. A failure is logged: a snapshot is never needed.
    """

    def __init__(self, table: SnapshotTable) -> None:
        self._table = table
        self._changed = threading.Condition()
        self._waiting: OrderedDict[tuple[type[Aggregate[Any]], str], Work] = OrderedDict()
        self._busy = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def offer(self, aggregate: type[Aggregate[Any]], stream: str, work: Work) -> bool:
        """Has a snapshot written soon; returns whether there is room for it."""
        with self._changed:
            if self._closed or (len(self._waiting) >= MAX_WAITING and (aggregate, stream) not in self._waiting):
                return False
            waiting = self._waiting.get((aggregate, stream))
            if waiting is None or waiting.version < work.version:
                self._waiting[aggregate, stream] = work
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="eventfold snapshots", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def flush(self) -> None:
        """Waits until nothing waits any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy)

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                (aggregate, stream), work = self._waiting.popitem(last=False)
                self._busy = True
            self._write(aggregate, stream, work)

    def _write(self, aggregate: type[Aggregate[Any]], stream: str, work: Work) -> None:
        try:
            state = fold_appended(aggregate, work.state, work.events)
            self.write_now(aggregate, stream, state, work.version, work.event_id)
        except EventfoldError as error:
            log.warning("no snapshot of %s at version %s: %s", stream, work.version, error)
        except Exception:
            log.exception("no snapshot of %s at version %s", stream, work.version)

    def write_now(
        self, aggregate: type[Aggregate[Any]], stream: str, state: Aggregate[Any], version: int, event_id: str
    ) -> bool:
        """Writes a snapshot in this thread; see `SnapshotTable.save`."""
        policy = policy_of(aggregate)
        new = NewSnapshot(stream, kind_of(aggregate), version, event_id, encode_state(state))
        return self._table.save(new, policy.keep if policy is not None else 1)
