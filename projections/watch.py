"""Live queries: the rows of a read model as they change."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from eventstore import Recorded, StoreBusy, StoreUnavailable, Subscription
from eventstore.codec import codec_of
from eventstore.log_cursor import LogCursor
from eventstore.token import token_of
from projections.errors import GenerationDropped, NotYetVisible
from projections.fold import keys_of
from projections.query import ModelQuery
from projections.track import Track
from projections.wanted import wanted_by

M = TypeVar("M")

PAGE = 1_000


class Changed(msgspec.Struct, Generic[M], frozen=True):
    """A row that events have touched.

    Attributes:
        key: of the row.
        row: as it is now, which is at least as new as the events; None where it is gone, or does not match.
        token: everything up to here has been told: to go on from, in this process or another.
    """

    key: Any
    row: M | None
    token: str


class Watch(Generic[M]):
    """Tells of every row that events touch, from a token on, and waits for more.

    Several events that touch one row at once are told as one change: what is told is where the row has come to, not each step
    on the way. A row that does not match the query is told of with None, once, if it was told of as matching before; after a
    resumption, whatever was told before is not known, so it is told of then, too.

    Used as a context manager and iterated over, from one thread; `stop` may be called from any.

    Args:
        query: which rows, over the live read model.
        track: the read model.
        subscription: to the log, for the events that the projection wants.
        resumed: whether it goes on from a token.
    """

    def __init__(self, query: ModelQuery[M], track: Track, subscription: Subscription, *, resumed: bool) -> None:
        self._query = query
        self._track = track
        self._subscription = subscription
        self._resumed = resumed
        self._told: set[Any] = set()

    def __iter__(self) -> Iterator[Changed[M]]:
        for batch in self._subscription.batches():
            keys = self._keys(batch.events)
            rows = self._rows(list(keys), token_of(batch.position)) if keys else {}
            chosen = [key for key in keys if key in rows or key in self._told or self._resumed]
            for i, key in enumerate(chosen, start=1):
                position = batch.position if i == len(chosen) else self._before(keys, chosen[i:])
                row = rows.get(key)
                (self._told.discard if row is None else self._told.add)(key)
                yield Changed(key, row, token_of(position))

    def stop(self) -> None:
        """Ends the iteration after the change in hand."""
        self._subscription.stop()

    def close(self) -> None:
        """Stops, and hears nothing more."""
        self._subscription.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _keys(self, events: list[Recorded[Any]]) -> dict[Any, int]:
        """Each key that is touched, and the position of the first event that does, in the order of these."""
        found: dict[Any, int] = {}
        for recorded in events:
            for key in keys_of(self._track.projection, recorded):
                found.setdefault(key, recorded.position)
        return found

    @staticmethod
    def _before(keys: dict[Any, int], left: list[Any]) -> int:
        return min(keys[key] for key in left) - 1

    def _rows(self, keys: list[Any], token: str) -> dict[Any, M]:
        """The rows that match under these keys; while the read model cannot be read, it waits and tries again."""
        key_field = self._track.projection.model.key.name
        query = self._query.where(**{f"{key_field}__in": keys})
        while True:
            try:
                return {getattr(row, key_field): row for row in query.all(after=token)}
            except (NotYetVisible, StoreUnavailable, StoreBusy, GenerationDropped):
                if self._subscription.stopped:
                    return {}


def watch(query: ModelQuery[M], track: Track, after: int | None) -> Watch[M]:
    """Follows the rows of a live query.

    Args:
        query: which rows.
        track: the read model.
        after: the position after which to begin; by default only what comes from now on.
    """
    store = query.engine.store
    start = store.head() if after is None else after
    codec = codec_of(track.projection.events)
    cursor = LogCursor(store.backend, codec, wanted_by([track.projection]), after=start, page_size=PAGE)
    return Watch(query, track, Subscription(store, cursor), resumed=after is not None)
