"""Follows the log: catches up, then waits for news without polling."""

import logging
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from eventstore.bounds import check_number
from eventstore.codec import Codec
from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.log_cursor import Batch, LogCursor
from eventstore.reading import PAGE, log_filter
from eventstore.recorded import Recorded
from eventstore.signal import ThreadBell
from eventstore.store import EventStore

logger = logging.getLogger(__name__)

SAFETY_POLL_SECONDS = 1.0
"""A wake-up can be lost (a server restarts between two connections); this bounds what that costs."""

MAX_BACKOFF_SECONDS = 5.0


class Subscription:
    """The events after a position, and then each new one as soon as it is committed: none skipped, none repeated.

    Pages are fetched when the reader asks for more, so a slow reader holds one page in memory and slows nobody down.
    While the server is away the subscription waits and tries again; it never gives up and never loses its place.

    Used as a context manager and iterated over, from one thread; `stop` may be called from any.

    Attributes:
        position: everything wanted up to here has been handed out: that of the event in hand, or of the last batch. Where
            one stored event is read as several, it moves with the last of them.
    """

    def __init__(self, store: EventStore, cursor: LogCursor) -> None:
        self._cursor = cursor
        self.position = cursor.position
        self._stopped = threading.Event()
        self._failures = 0
        self._bell = ThreadBell(store.signal)
        store.listen()

    def batches(self) -> Iterator[Batch[Any]]:
        """Whole pages, with the position to remember after each; ends after `stop`."""
        while not self._stopped.is_set():
            batch = self.poll(SAFETY_POLL_SECONDS)
            if batch is not None:
                yield batch

    def __iter__(self) -> Iterator[Recorded[Any]]:
        while not self._stopped.is_set():
            batch = self._wait(SAFETY_POLL_SECONDS)
            if batch is None:
                continue
            for recorded, whole in batch.with_ends():
                if whole:
                    self.position = recorded.position
                yield recorded
                if whole and self._stopped.is_set():
                    return
            self.position = batch.position

    def poll(self, seconds: float) -> Batch[Any] | None:
        """The next page; waits up to `seconds` for one and returns None where none came, or after `stop`."""
        batch = self._wait(seconds)
        if batch is not None:
            self.position = batch.position
        return batch

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ends the iteration after the event in hand."""
        self._stopped.set()
        self._bell.ring()

    def close(self) -> None:
        """Stops, and hears nothing more."""
        self.stop()
        self._bell.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, seconds: float) -> Batch[Any] | None:
        batch = self._fetch()
        if batch is None and not self._stopped.is_set() and self._bell.wait(self._pause(seconds)):
            batch = self._fetch()
        return batch

    def _fetch(self) -> Batch[Any] | None:
        if self._stopped.is_set():
            return None
        try:
            batch = self._cursor.batch_after(self.position)
        except (StoreUnavailable, StoreBusy) as error:
            self._failures += 1
            logger.warning("subscription at position %s waits for the database: %s", self.position, error)
            return None
        self._failures = 0
        return batch

    def _pause(self, seconds: float) -> float:
        return backoff(self._failures) if self._failures else seconds


def backoff(failures: int) -> float:
    """How long to wait after so many failures in a row, in seconds."""
    return min(0.05 * 2.0 ** min(failures, 10), MAX_BACKOFF_SECONDS)


def open_cursor(store: EventStore, *, after: int, page_size: int, codec: Codec | None, **filters: Any) -> LogCursor:
    """A cursor over a store's log.

    Raises:
        InvalidInput: the position or a filter is not acceptable.
    """
    check_number("after", after)
    check_number("page_size", page_size, least=1)
    return LogCursor(store.backend, codec or store.codec, log_filter(**filters), after=after, page_size=page_size)


def subscribe(
    store: EventStore, *, after: int = 0, page_size: int = PAGE, codec: Codec | None = None, **filters: Any
) -> Subscription:
    """Follows a store's log.

    Args:
        store: whose log.
        after: the position after which to begin; `store.head()` for new events only.
        page_size: how many events are fetched at once.
        codec: decodes in place of the store's own.
        filters: as for `log_filter`: `category`, `stream`, `types`, `tags`, `query`, `since`, `until`.
    """
    return Subscription(store, open_cursor(store, after=after, page_size=page_size, codec=codec, **filters))
