"""Snapshots in memory, beside the log in memory."""

import threading
import time
from collections.abc import Callable

from eventstore.backend import Row, StreamRange, label_of
from eventstore.snapshot import Beginning, NewSnapshot, Snapshot, SnapshotCount, SnapshotKind, StreamEnd


class MemorySnapshots:
    """Keeps snapshots in a dict.

    Args:
        page: reads a part of a stream.
    """

    def __init__(self, page: Callable[[str, StreamRange, int], list[Row]]) -> None:
        self._page = page
        self._kept: dict[tuple[SnapshotKind, str], dict[int, tuple[NewSnapshot, int]]] = {}
        self._lock = threading.Lock()

    def begin(self, stream: str, kind: SnapshotKind, part: StreamRange, limit: int) -> Beginning | None:
        """The newest snapshot within the part of the stream, and up to `limit` events of the part after it."""
        kept = self._kept.get((kind, stream), {})
        for version in sorted(kept, reverse=True):
            new, _ = kept[version]
            rows = self._page(stream, _after(part, version - 1), limit + 1)
            if rows and (rows[0][2], rows[0][6]) == (version, new.event_id):
                tail = [(label_of(row[4], row[5]), row[12]) for row in rows[1:]]
                at, last = StreamEnd(version, rows[0][0], new.event_id), rows[-1]
                return Beginning(new.state, at, tail, StreamEnd(version + len(tail), last[0], last[6]))
        return None

    def save(self, new: NewSnapshot, keep: int) -> bool:
        """Keeps a snapshot, if its event is in the log, and the `keep` newest of its kind and stream with it."""
        if not self._in_log(new):
            return False
        with self._lock:
            kept = {**self._kept.get((new.kind, new.stream), {}), new.version: (new, time.time_ns() // 1000)}
            self._kept[new.kind, new.stream] = {version: kept[version] for version in sorted(kept)[-keep:]}
        return True

    def page(self, kind: SnapshotKind, after: tuple[str, int], stream: str | None, limit: int) -> list[Snapshot]:
        """Up to `limit` snapshots after a stream and a version, in that order; of one stream where it is named."""
        found = [
            Snapshot(new.stream, new.version, new.state, taken, self._in_log(new))
            for (each, name), kept in sorted(self._copied().items())
            for new, taken in kept.values()
            if each == kind and (stream is None or name == stream) and (new.stream, new.version) > after
        ]
        return found[:limit]

    def counts(self) -> list[SnapshotCount]:
        """How many there are of each kind."""
        found = []
        copied = self._copied()
        for kind in sorted({kind for kind, _ in copied}):
            kept = [each for (other, _), kept in copied.items() if other == kind for each in kept.values()]
            fit = [new for new, _ in kept if self._in_log(new)]
            streams, size = len({new.stream for new in fit}), sum(len(new.state) for new in fit)
            taken = max(taken for _, taken in kept)
            found.append(SnapshotCount(*kind, streams, len(kept), size, len(kept) - len(fit), taken))
        return found

    def delete(self, kind: SnapshotKind, *, ahead_only: bool = False) -> int:
        """Deletes all of a kind, or those of events that the log does not hold; returns how many."""
        deleted = 0
        with self._lock:
            for key in [key for key in self._kept if key[0] == kind]:
                kept = self._kept.pop(key)
                left = {version: each for version, each in kept.items() if ahead_only and self._in_log(each[0])}
                deleted += len(kept) - len(left)
                if left:
                    self._kept[key] = left
        return deleted

    def _copied(self) -> dict[tuple[SnapshotKind, str], dict[int, tuple[NewSnapshot, int]]]:
        """What is kept: the writer's thread may go on while somebody looks through it."""
        with self._lock:
            return self._kept.copy()

    def _in_log(self, new: NewSnapshot) -> bool:
        rows = self._page(new.stream, StreamRange(new.version - 1, new.version), 1)
        return bool(rows) and rows[0][6] == new.event_id


def _after(part: StreamRange, version: int) -> StreamRange:
    return StreamRange(version, part.up_to_version, part.up_to_position, part.recorded_until_us)
