"""A place in the log that moves forward a page at a time and never passes an append in flight."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Generic, TypeVar

import msgspec

from eventstore.backend import Backend, LogFilter
from eventstore.codec import Codec
from eventstore.log_reader import LogReader
from eventstore.recorded import Recorded

E = TypeVar("E", covariant=True)


class Batch(msgspec.Struct, Generic[E], frozen=True):
    """Events read together.

    Attributes:
        events: in the order of their positions; empty where nothing up to `position` was wanted.
        position: everything wanted up to here has been read, so a reader that keeps this number can go on from it.
    """

    events: list[Recorded[E]]
    position: int

    def with_ends(self) -> Iterator[tuple[Recorded[E], bool]]:
        """Each event, and whether it is the last of those that its stored event was upcast into."""
        for recorded, following in pairwise([*self.events, None]):
            assert recorded is not None  # noqa: S101 - for the type checker; None is only ever the last
            yield recorded, following is None or following.position != recorded.position


class LogCursor:
    """Reads the wanted events after a position.

    The horizon is asked for only when the pages have reached the one known, so catching up costs one query a page.
    """

    def __init__(self, backend: Backend, codec: Codec, wanted: LogFilter, *, after: int, page_size: int) -> None:
        self._backend = backend
        self._reader = LogReader(backend, codec, wanted)
        self._page_size = page_size
        self._horizon = 0
        self.position = after

    def next_batch(self) -> Batch[Any] | None:
        """The next page, or None where the log has nothing new. The cursor moves only if this returns."""
        batch = self.batch_after(self.position)
        if batch is not None:
            self.position = batch.position
        return batch

    def batch_after(self, position: int) -> Batch[Any] | None:
        """The page after a position, or None where the log has nothing there. The cursor stays where it is."""
        horizon = self._horizon
        if position >= horizon:
            horizon = self._horizon = self._backend.horizon()
            if position >= horizon:
                return None
        rows = self._reader.rows(position, horizon, self._page_size)
        reached = rows[-1][0] if len(rows) == self._page_size else horizon
        return Batch(self._reader.decode(rows), reached)
