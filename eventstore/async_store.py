"""The event store for asyncio: the same log, the same rules, awaited."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Self, TypeVar

from eventstore.async_subscription import AsyncSubscription, subscribe_async
from eventstore.expected import ANY, ExpectedVersion
from eventstore.new_event import Appended, StreamAppend
from eventstore.query import AppendCondition
from eventstore.reading import PAGE
from eventstore.recorded import Recorded
from eventstore.store import EventStore

T = TypeVar("T")


class AsyncEventStore:
    """Wraps an `EventStore`. Appends of many tasks share transactions; reads run in threads of the loop's pool.

    Args:
        store: the store; it may be used directly at the same time.
    """

    def __init__(self, store: EventStore) -> None:
        self.sync = store

    async def append(
        self,
        stream: str,
        events: Sequence[Any],
        *,
        expected: ExpectedVersion = ANY,
        condition: AppendCondition | None = None,
    ) -> Appended:
        """Appends events to one stream. See `EventStore.append`."""
        return await self.sync.append_async(stream, events, expected=expected, condition=condition)

    async def append_all(
        self, appends: Sequence[StreamAppend], *, condition: AppendCondition | None = None
    ) -> Appended:
        """Appends to several streams at once. See `EventStore.append_all`."""
        return await self.sync.append_all_async(appends, condition=condition)

    def read_stream(self, stream: str, **options: Any) -> AsyncIterator[Recorded[Any]]:
        """The events of a stream. See `EventStore.read_stream` for the options."""
        page_size = options.get("page_size", PAGE)
        return in_threads(self.sync.read_stream(stream, **options), page_size)

    def read_log(self, **options: Any) -> AsyncIterator[Recorded[Any]]:
        """The events of the log. See `EventStore.read_log` for the options."""
        page_size = options.get("page_size", PAGE)
        return in_threads(self.sync.read_log(**options), page_size)

    def subscribe(self, **options: Any) -> AsyncSubscription:
        """Follows the log. See `eventstore.subscription.subscribe` for the options."""
        return subscribe_async(self.sync, **options)

    async def stream_version(self, stream: str) -> int:
        """The version of a stream."""
        return await asyncio.to_thread(self.sync.stream_version, stream)

    async def head(self) -> int:
        """The position up to which the log is complete."""
        return await asyncio.to_thread(self.sync.head)

    async def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant."""
        return await asyncio.to_thread(self.sync.position_at, instant)

    async def close(self) -> None:
        """Closes the store underneath."""
        await asyncio.to_thread(self.sync.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


async def in_threads(items: Iterator[T], page_size: int) -> AsyncIterator[T]:
    """The items, fetched page by page in a thread."""
    while page := await asyncio.to_thread(lambda: list(islice(items, page_size))):
        for item in page:
            yield item
