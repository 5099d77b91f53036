"""Rows kept in memory over many batches, so that a rebuild writes each of them once."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from sys import getsizeof
from typing import Any

import msgspec

from projections.target import Fetched, Generation, Joined

_SAMPLE = 16
_PLACES = 300
"""Bytes that a row takes beside itself: in the two dicts, and as a tuple while it is written."""


class RowCache:
    """The rows of a partition that only one worker writes.

    Args:
        generation: where rows come from that are not in memory.
        max_bytes: when the rows take more, by a sample of them, `full` says so; the caller then writes what has changed.
        complete: whether there are no stored rows yet.
    """

    def __init__(self, generation: Generation | Joined, *, max_bytes: int, complete: bool) -> None:
        self._generation = generation
        self._max_bytes = max_bytes
        self._rows: dict[Any, Any] = {}
        self._row_bytes = 0.0
        self._complete = complete
        self._ahead: dict[Any, int] = {}
        self.changed: dict[Any, Any] = {}

    @property
    def full(self) -> bool:
        """Whether it is time to write and clear."""
        return len(self._rows) * self._row_bytes > self._max_bytes

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows under these keys, from memory or from the generation."""
        rows = self._rows
        if not self._complete:
            missing = [key for key in keys if key not in rows]
            if missing:
                stored = self._generation.fetch(missing)
                rows.update((key, stored.rows.get(key)) for key in missing)
                self._ahead.update(stored.ahead)
        ahead = self._ahead
        return Fetched(rows, {key: ahead[key] for key in keys if key in ahead} if ahead else ahead)

    def update(self, rows: Mapping[Any, Any]) -> None:
        """Takes over what a fold has touched."""
        self._rows.update(rows)
        self.changed.update(rows)
        if rows:
            self._row_bytes = max(self._row_bytes, _bytes_of(islice(rows.values(), _SAMPLE)))

    def written(self) -> None:
        """What had changed is stored now."""
        self.changed = {}
        if self.full:
            self._rows, self._ahead = {}, {}
            self._complete = False

    def anew(self) -> "RowCache":
        """An empty cache over the same generation, which has rows by now."""
        return RowCache(self._generation, max_bytes=self._max_bytes, complete=False)


def _bytes_of(rows: Iterable[Any]) -> float:
    """What one of these rows takes in memory, on average."""
    sizes = [_size(row) for row in rows]
    return _PLACES + sum(sizes) / len(sizes)


def _size(value: Any) -> int:
    """What a value takes with all that is in it."""
    inner: Iterable[Any] = ()
    if isinstance(value, msgspec.Struct):
        inner = msgspec.structs.astuple(value)
    elif isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = value
    return getsizeof(value) + sum(_size(each) for each in inner)
