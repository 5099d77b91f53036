"""Follows the log from an asyncio task."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Self

from eventstore.codec import Codec
from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.log_cursor import Batch, LogCursor
from eventstore.reading import PAGE
from eventstore.recorded import Recorded
from eventstore.signal import TaskBell
from eventstore.store import EventStore
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff, open_cursor

logger = logging.getLogger(__name__)


class AsyncSubscription:
    """`Subscription` for asyncio: the same promises, awaited. The database is read in a thread of the loop's pool.

    Attributes:
        position: everything wanted up to here has been handed out: that of the event in hand, or of the last batch. Where
            one stored event is read as several, it moves with the last of them.
    """

    def __init__(self, store: EventStore, cursor: LogCursor) -> None:
        self._cursor = cursor
        self.position = cursor.position
        self._stopped = False
        self._failures = 0
        self._bell = TaskBell(store.signal)
        store.listen()

    async def batches(self) -> AsyncIterator[Batch[Any]]:
        """Whole pages, with the position to remember after each; ends after `stop`."""
        while (batch := await self._wait()) is not None:
            self.position = batch.position
            yield batch

    async def __aiter__(self) -> AsyncIterator[Recorded[Any]]:
        while (batch := await self._wait()) is not None:
            for recorded, whole in batch.with_ends():
                if whole:
                    self.position = recorded.position
                yield recorded
                if whole and self._stopped:
                    return
            self.position = batch.position

    def stop(self) -> None:
        """Ends the iteration after the event in hand."""
        self._stopped = True
        self._bell.ring()

    async def close(self) -> None:
        """Stops, and hears nothing more."""
        self.stop()
        self._bell.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def _wait(self) -> Batch[Any] | None:
        """The next page, however long it takes to come; None after `stop`."""
        while not self._stopped:
            batch = await self._fetch()
            if batch is not None and not self._stopped:
                return batch
            if not self._stopped:
                await self._bell.wait(backoff(self._failures) if self._failures else SAFETY_POLL_SECONDS)
        return None

    async def _fetch(self) -> Batch[Any] | None:
        try:
            batch = await asyncio.to_thread(self._cursor.batch_after, self.position)
        except (StoreUnavailable, StoreBusy) as error:
            self._failures += 1
            logger.warning("subscription at position %s waits for the database: %s", self.position, error)
            return None
        self._failures = 0
        return batch


def subscribe_async(
    store: EventStore, *, after: int = 0, page_size: int = PAGE, codec: Codec | None = None, **filters: Any
) -> AsyncSubscription:
    """Follows a store's log; must be called within a running event loop. See `subscribe`."""
    return AsyncSubscription(store, open_cursor(store, after=after, page_size=page_size, codec=codec, **filters))
