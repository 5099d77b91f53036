"""The application for asyncio: the same names, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from commands import AsyncBus, AsyncMiddleware, Command, Handler, Receipt, RetryPolicy, enclose
from commands.bus import check_middleware
from eventfold.application import Application
from eventstore import Aggregate, AsyncEventStore, AsyncSubscription, Loaded, subscribe_async
from eventstore.async_store import in_threads
from eventstore.blame import Blamed
from eventstore.causation import Link
from eventstore.history import Step
from eventstore.reading import PAGE
from projections import BoundProjection, ModelQuery, Page
from projections.query import WAIT_SECONDS

A = TypeVar("A", bound=Aggregate[Any])
M = TypeVar("M")


class AsyncApplication:
    """`Application` for asyncio. Decisions and projections are the same pure functions; only middleware is awaited.

    Appends of concurrent tasks share transactions; reads and folds run in threads, so the event loop stays free.

    Args:
        url: where the log is.
        handlers: functions under `@handles`.
        projections: each `projection.into(target, ...)`.
        events: event classes that nothing else mentions.
        middleware: `async def (envelope, call_next) -> receipt`, the first one outermost.
        retry: how often a conflicting command is decided again.
        name: for people.
        options: as for `open_store`.
    """

    def __init__(
        self,
        url: str,
        *,
        handlers: Iterable[Handler[..., Any]] = (),
        projections: Iterable[BoundProjection[Any]] = (),
        events: Any = (),
        middleware: Sequence[AsyncMiddleware] = (),
        retry: RetryPolicy | None = None,
        name: str = "application",
        **options: Any,
    ) -> None:
        check_middleware(middleware, awaited=True)
        self.sync = Application(
            url, handlers=handlers, projections=projections, events=events, retry=retry, name=name, **options
        )
        self._middleware = tuple(middleware)
        self._retry = retry if retry is not None else RetryPolicy()
        self._bus: AsyncBus | None = None

    @property
    def store(self) -> AsyncEventStore:
        """The log."""
        return AsyncEventStore(self.sync.store)

    async def dispatch(
        self,
        command: Command,
        *,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        occurred_at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Validates a command, decides it, and appends the events. See `Application.dispatch`."""
        if self._bus is None:
            store = await asyncio.to_thread(lambda: self.sync.store)
            self._bus = AsyncBus(store, self.sync.parts.handlers, self._middleware, self._retry)
        envelope = enclose(
            command,
            correlation_id=correlation_id,
            causation_id=causation_id,
            occurred_at=occurred_at,
            metadata=metadata,
        )
        return await self._bus.dispatch(envelope)

    async def load(self, aggregate: type[A], stream_id: str, **moment: Any) -> A:
        """The state of an aggregate, now or as it was. See `Application.load_with_version` for the arguments."""
        return (await self.load_with_version(aggregate, stream_id, **moment)).state

    async def load_with_version(self, aggregate: type[A], stream_id: str, **moment: Any) -> Loaded[A]:
        """The state of an aggregate with its version and position. See `Application.load_with_version`."""
        return await asyncio.to_thread(lambda: self.sync.load_with_version(aggregate, stream_id, **moment))

    async def history(self, aggregate: type[A], stream_id: str, **moment: Any) -> AsyncIterator[Step[A]]:
        """The events of an aggregate, each with what it changed. See `Application.history`."""
        steps = await asyncio.to_thread(lambda: self.sync.history(aggregate, stream_id, **moment))
        async for step in in_threads(steps, PAGE):
            yield step

    async def blame(self, aggregate: type[A], stream_id: str, **moment: Any) -> list[Blamed]:
        """For each field of the state, the event that last set it. See `Application.blame`."""
        return await asyncio.to_thread(lambda: self.sync.blame(aggregate, stream_id, **moment))

    async def bisect(
        self, aggregate: type[A], stream_id: str, condition: str | Callable[[A], bool], **moment: Any
    ) -> Step[A] | None:
        """The first event after which a condition holds. See `Application.bisect`."""
        return await asyncio.to_thread(lambda: self.sync.bisect(aggregate, stream_id, condition, **moment))

    async def causes(self, event_id: str, *, max_depth: int | None = None) -> list[Link]:
        """The event, what caused it, what caused that, and so on. See `Application.causes`."""
        return await asyncio.to_thread(lambda: self.sync.causes(event_id, max_depth=max_depth))

    async def effects(self, message_id: str, *, max_depth: int | None = None) -> list[Link]:
        """The event, what it caused, what that caused, and so on. See `Application.effects`."""
        return await asyncio.to_thread(lambda: self.sync.effects(message_id, max_depth=max_depth))

    async def snapshot(self, aggregate: type[Aggregate[Any]], stream_id: str) -> int:
        """Writes a snapshot of an aggregate as it is now. See `Application.snapshot`."""
        return await asyncio.to_thread(self.sync.snapshot, aggregate, stream_id)

    def query(self, model: type[M]) -> "AsyncModelQuery[M]":
        """A query over the read model of this class, whose reading methods are awaited."""
        return AsyncModelQuery(lambda: self.sync.query(model))

    async def catch_up(self) -> None:
        """Brings every read model up to date with the log as it is now."""
        await asyncio.to_thread(self.sync.catch_up)

    def subscribe(self, *, after: int = 0, **filters: Any) -> AsyncSubscription:
        """Follows the log. See `eventstore.subscribe_async`."""
        return subscribe_async(self.sync.store, after=after, **filters)

    async def close(self) -> None:
        """Lets go of the database."""
        self._bus = None
        await asyncio.to_thread(self.sync.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


class AsyncModelQuery(Generic[M]):
    """`ModelQuery` for asyncio: building it is the same, reading is awaited."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def where(self, *expressions: Any, **conditions: Any) -> Self:
        """Only rows for which all of this holds. See `ModelQuery.where`."""
        return type(self)(lambda: self._make().where(*expressions, **conditions))

    def order_by(self, *fields: str) -> Self:
        """Sorts by these fields. See `ModelQuery.order_by`."""
        return type(self)(lambda: self._make().order_by(*fields))

    def limit(self, count: int) -> Self:
        """At most so many rows."""
        return type(self)(lambda: self._make().limit(count))

    async def get(
        self, key: Any, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False
    ) -> M | None:
        """The row under a key; None where there is none."""
        return await asyncio.to_thread(lambda: self._query().get(key, after=after, timeout=timeout, stale=stale))

    async def all(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> list[M]:
        """All rows that match, in order."""
        return await asyncio.to_thread(lambda: self._query().all(after=after, timeout=timeout, stale=stale))

    async def first(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> M | None:
        """The first row that matches; None where none does."""
        return await asyncio.to_thread(lambda: self._query().first(after=after, timeout=timeout, stale=stale))

    async def count(self, *, after: str | None = None, timeout: float = WAIT_SECONDS, stale: bool = False) -> int:
        """How many rows match."""
        return await asyncio.to_thread(lambda: self._query().count(after=after, timeout=timeout, stale=stale))

    async def page(
        self,
        *,
        cursor: str | None = None,
        size: int | None = None,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: bool = False,
    ) -> Page[M]:
        """One page of rows. See `ModelQuery.page`."""
        return await asyncio.to_thread(
            lambda: self._query().page(cursor=cursor, size=size, after=after, timeout=timeout, stale=stale)
        )

    def _query(self) -> ModelQuery[M]:
        query: ModelQuery[M] = self._make()
        return query
