"""Read models as they were: folded from the log into memory, where nobody else sees them."""

import threading
from collections import OrderedDict
from typing import Any

from eventstore import EventStore
from projections.composite import ReadRows, fold_batch, row_at
from projections.fold import in_memory
from projections.moment import Moment
from projections.projection import Projection
from projections.touching import contained

KEPT = 4
"""How many whole read models are kept, so that a page after the other of one moment is folded once."""

BATCH = 10_000


class Past:
    """The read models of a log at any moment. Safe to share among threads.

    Args:
        store: the log.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str, Moment], dict[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def row(self, projection: Projection[Any], key: Any, moment: Moment) -> Any | None:
        """The row under a key as it was; None where there was none. Folds only the events that touch it.

        Raises:
            ProjectionFailed: the fold raised.
        """
        return row_at(self._store, projection, key, moment)

    def rows(self, projection: Projection[Any], moment: Moment) -> dict[Any, Any]:
        """All rows as they were, by key. Folds every event that the projection wants, and keeps the last few answers.

        Raises:
            ProjectionFailed: the fold raised.
        """
        with self._lock:
            name = (projection.name, projection.fingerprint, moment)
            if name not in self._kept:
                self._kept[name] = self._fold(projection, moment)
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[name]

    def _fold(self, projection: Projection[Any], moment: Moment) -> dict[Any, Any]:
        rows: dict[Any, Any] = {}
        read = ReadRows(projection, None, complete=True)
        for events in contained(self._store, projection, moment, BATCH):
            folded = fold_batch(projection, events, in_memory(rows), read)
            rows.update(folded.rows)
            read.update(folded.read)
            if folded.failure is not None:
                raise folded.failure
        return {key: row for key, row in rows.items() if row is not None}
