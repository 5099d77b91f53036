"""Rows kept in memory over many batches, so that a rebuild writes each of them once."""

from collections.abc import Sequence
from typing import Any

from projections.target import Generation


class RowCache:
    """The rows of a generation that only one worker writes.

    Args:
        generation: where rows come from that are not in memory.
        max_rows: when more are held, `full` says so; the caller then writes `changed` and calls `clear`.
    """

    def __init__(self, generation: Generation, *, max_rows: int) -> None:
        self._generation = generation
        self._max_rows = max_rows
        self._rows: dict[Any, Any] = {}
        self._complete = generation.info.position == 0
        self.changed: dict[Any, Any] = {}

    @property
    def full(self) -> bool:
        """Whether it is time to write and clear."""
        return len(self._rows) > self._max_rows

    def fetch(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows under these keys, from memory or from the generation."""
        rows = self._rows
        if not self._complete:
            missing = [key for key in keys if key not in rows]
            if missing:
                stored = self._generation.fetch(missing)
                rows.update((key, stored.get(key)) for key in missing)
        return rows

    def update(self, rows: dict[Any, Any]) -> None:
        """Takes over what a fold has touched."""
        self._rows.update(rows)
        self.changed.update(rows)

    def written(self) -> None:
        """What had changed is stored now."""
        self.changed = {}
        if self.full:
            self._rows = {}
            self._complete = False

    def anew(self) -> "RowCache":
        """An empty cache over the same generation."""
        return RowCache(self._generation, max_rows=self._max_rows)
