"""A backend that counts what is asked of it, and can be made to fail."""

from typing import Any, cast

from eventstore.backend import Backend, LogFilter, Row, StreamRange
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore


class CountingBackend:
    """Stands between a store and its backend.

    Attributes:
        stream_pages: how many pages of streams were asked for.
        log_pages: how many pages of the log were asked for.
        failures: so many of the next questions about the log are answered with `StoreUnavailable`.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.stream_pages = 0
        self.log_pages = 0
        self.failures = 0

    @classmethod
    def under(cls, store: EventStore) -> "CountingBackend":
        """Puts one under a store that is open."""
        counting = cls(store.backend)
        store.backend = cast("Backend", counting)
        return counting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        """Counts."""
        self.stream_pages += 1
        return self._backend.stream_page(stream, part, limit)

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Counts."""
        self.log_pages += 1
        return self._backend.log_page(wanted, after, up_to, limit, backwards=backwards)

    def horizon(self) -> int:
        """Fails while it has to."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the backend was told to fail")
        return self._backend.horizon()
