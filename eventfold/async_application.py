"""The application for asyncio: the same names, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from commands import (
    AsyncBus,
    AsyncMiddleware,
    Command,
    Envelope,
    Handler,
    Idempotency,
    Receipt,
    RetryPolicy,
    Schedule,
    Scheduled,
    enclose,
)
from commands.brokers.opening import BrokerSource
from commands.bus import check_middleware, pipeline
from commands.dispatched import Dispatched
from commands.inbox.consumer import Consumer
from commands.inbox.consuming import Consuming
from commands.many import PARALLEL, check_keys, dispatch_many_async
from commands.middleware.look_up import LookUp, bound
from commands.outbox.policy import RelayPolicy
from commands.outbox.publish import ToMessage
from commands.schedule.recurrence import Missed
from commands.schedule.scheduled import State
from commands.unit_of_work import AsyncUnitOfWork
from eventfold.application import Application
from eventfold.async_inbox import AsyncInbox
from eventfold.async_outbox import AsyncOutbox
from eventfold.async_query import AsyncModelQuery
from eventfold.async_session import AsyncSession
from eventfold.async_watch import AsyncWatch
from eventfold.parts import Parts
from eventfold.worker import Worker
from eventstore import Aggregate, AsyncEventStore, AsyncSubscription, Event, Loaded, Recording, subscribe_async
from eventstore.async_store import in_threads
from eventstore.blame import Blamed
from eventstore.causation import Link
from eventstore.history import Step
from eventstore.joined_transaction import OpenTransaction
from eventstore.reading import PAGE
from projections import (
    BoundProjection,
    Engine,
    FieldChange,
    ParkedEvents,
    Progress,
    Reaction,
    ReportingView,
    Retried,
    Verified,
    ViewStatus,
)

A = TypeVar("A", bound=Aggregate[Any])
M = TypeVar("M")
Rec = TypeVar("Rec", bound=Recording[Any])


class AsyncApplication:
    """`Application` for asyncio. Decisions and projections are the same pure functions; only middleware is awaited.

    Appends of concurrent tasks share transactions; reads and folds run in threads, so the event loop stays free.

    Args:
        url: where the log is.
        handlers: functions under `@handles`.
        projections: each `projection.into(target, ...)`.
        views: reporting views over the tables of projections.
        reactions: functions under `@reaction`; one under `async def` is given this application, any other its `sync` core.
        schedules: commands that recur, each a `Schedule`.
        aggregates: aggregate classes that no handler takes.
        events: event classes that nothing else mentions.
        middleware: `async def (envelope, call_next) -> receipt`, the first one outermost; those that are shipped as they are.
        retry: how often a conflicting command is decided again.
        idempotency: how long idempotency keys are kept, and whose they are.
        publish: from event classes to functions that make messages for other services of their events.
        source: the service, as its messages name it.
        consumers: functions under `@consumes`, which handle the messages of other services, in threads.
        broker: what carries messages between services: its URL, or a function that makes a connection.
        consuming: how messages are consumed, and the middleware around consumers.
        relay: how messages are sent.
        name: for people.
        options: as for `open_store`.
    """

    def __init__(
        self,
        url: str,
        *,
        handlers: Iterable[Handler[..., Any]] = (),
        projections: Iterable[BoundProjection[Any]] = (),
        views: Iterable[ReportingView] = (),
        reactions: Iterable[Reaction] = (),
        schedules: Iterable[Schedule] = (),
        aggregates: Iterable[type[Aggregate[Any]]] = (),
        events: Any = (),
        middleware: Sequence[AsyncMiddleware | LookUp] = (),
        retry: RetryPolicy | None = None,
        idempotency: Idempotency | None = None,
        publish: Mapping[type[Event], ToMessage] | None = None,
        source: str | None = None,
        consumers: Iterable[Consumer[..., Any]] = (),
        broker: BrokerSource | None = None,
        consuming: Consuming | None = None,
        relay: RelayPolicy | None = None,
        name: str = "application",
        **options: Any,
    ) -> None:
        self.sync = Application(
            url,
            handlers=handlers,
            projections=projections,
            views=views,
            reactions=reactions,
            schedules=schedules,
            aggregates=aggregates,
            events=events,
            retry=retry,
            idempotency=idempotency,
            publish=publish,
            source=source,
            consumers=consumers,
            broker=broker,
            consuming=consuming,
            relay=relay,
            name=name,
            **options,
        )
        self.sync.parts.application = self
        self._middleware = bound(middleware, self.sync.query, self.sync.was_done)
        check_middleware(self._middleware, awaited=True)
        self._retry = retry if retry is not None else RetryPolicy()
        self._idempotency = idempotency if idempotency is not None else Idempotency()
        self._bus: AsyncBus | None = None

    @property
    def name(self) -> str:
        """What people call it, in the status and the logs."""
        return self.sync.name

    @property
    def parts(self) -> Parts:
        """The handlers, aggregates, events and projections that the application is made of."""
        return self.sync.parts

    @property
    def store(self) -> AsyncEventStore:
        """The log, opened on first use."""
        return AsyncEventStore(self.sync.store)

    @property
    def inbox(self) -> AsyncInbox:
        """What other services say; its methods are awaited."""
        return AsyncInbox(lambda: self.sync.inbox)

    @property
    def outbox(self) -> AsyncOutbox:
        """What is told to other services, and has been."""
        return AsyncOutbox(self.sync.parts)

    @property
    def pipeline(self) -> tuple[str, ...]:
        """The way of a command from the outside to the decision, a name for each step."""
        return pipeline(self._middleware, self._retry)

    @property
    def engine(self) -> Engine:
        """What keeps the read models; its methods block."""
        return self.sync.engine

    async def dispatch(
        self,
        command: Command,
        *,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        occurred_at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Validates a command, decides it, and appends the events. See `Application.dispatch`."""
        envelope = enclose(
            command,
            correlation_id=correlation_id,
            causation_id=causation_id,
            occurred_at=occurred_at,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return await self.send(envelope)

    async def send(self, envelope: Envelope) -> Receipt:
        """Dispatches a command that is in its envelope already. See `dispatch`."""
        if self._bus is None:
            inner = await asyncio.to_thread(lambda: self.sync.inner)
            self._bus = AsyncBus(inner, self._middleware)
        return await self._bus.dispatch(envelope)

    async def dispatch_many(
        self,
        commands: Iterable[Command],
        *,
        parallel: int = PARALLEL,
        idempotency_key: Callable[[Command], str] | None = None,
        **options: Any,
    ) -> list[Dispatched]:
        """Dispatches many commands, each on its own, in tasks. See `Application.dispatch_many`."""
        check_keys(idempotency_key)

        async def send(command: Command) -> Receipt:
            key = None if idempotency_key is None else idempotency_key(command)
            return await self.dispatch(command, idempotency_key=key, **options)

        return await dispatch_many_async(commands, self.sync.parts.handlers, send, parallel)

    async def schedule(
        self,
        command: Command,
        *,
        at: datetime | None = None,
        after: timedelta | float | None = None,
        cron: str | None = None,
        every: timedelta | float | None = None,
        zone: str = "UTC",
        missed: Missed = "latest",
        name: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        occurred_at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        connection: OpenTransaction | None = None,
    ) -> Scheduled:
        """Has a command dispatched later, by a worker. See `Application.schedule`."""
        return await asyncio.to_thread(
            self.sync.schedule,
            command,
            at=at,
            after=after,
            cron=cron,
            every=every,
            zone=zone,
            missed=missed,
            name=name,
            correlation_id=correlation_id,
            causation_id=causation_id,
            occurred_at=occurred_at,
            metadata=metadata,
            idempotency_key=idempotency_key,
            connection=connection,
        )

    async def cancel(self, which: str) -> bool:
        """Cancels a scheduled command. See `Application.cancel`."""
        return await asyncio.to_thread(self.sync.cancel, which)

    async def scheduled(self, which: str) -> Scheduled:
        """A scheduled command by its id or name. See `Application.scheduled`."""
        return await asyncio.to_thread(self.sync.scheduled, which)

    async def schedules(self, *states: State, limit: int | None = None) -> list[Scheduled]:
        """Scheduled commands by when they are due. See `Application.schedules`."""
        return await asyncio.to_thread(lambda: self.sync.schedules(*states, limit=limit))

    async def fire_due(self) -> int:
        """Dispatches the scheduled commands that are due. See `Application.fire_due`; they run in an event loop of their own."""
        return await asyncio.to_thread(self.sync.fire_due)

    def unit_of_work(self) -> AsyncUnitOfWork:
        """Several commands and appends, stored together or not at all. See `UnitOfWork`."""
        return AsyncUnitOfWork(lambda: self.sync.inner, self._middleware, enclose, lambda: self.parts.schedules)

    async def load(
        self,
        aggregate: type[A],
        stream_id: str,
        *,
        at_version: int | None = None,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
    ) -> A:
        """The state of an aggregate, now or as it was. See `Application.load_with_version` for the arguments."""
        loaded = await self.load_with_version(
            aggregate, stream_id, at_version=at_version, position=position, at=at, occurred=occurred
        )
        return loaded.state

    async def load_with_version(
        self,
        aggregate: type[A],
        stream_id: str,
        *,
        at_version: int | None = None,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
    ) -> Loaded[A]:
        """The state of an aggregate with its version and position. See `Application.load_with_version`."""
        return await asyncio.to_thread(
            self.sync.load_with_version,
            aggregate,
            stream_id,
            at_version=at_version,
            position=position,
            at=at,
            occurred=occurred,
        )

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

    async def open(self, recording: type[Rec], stream_id: str) -> Rec:
        """An object-style aggregate as it stands now. See `Application.open`."""
        return await asyncio.to_thread(self.sync.open, recording, stream_id)

    async def save(self, recording: Recording[Any]) -> Receipt | None:
        """Appends what an object-style aggregate has recorded. See `Application.save`."""
        return await asyncio.to_thread(self.sync.save, recording)

    def query(self, model: type[M]) -> AsyncModelQuery[M]:
        """A query over the read model of this class, whose reading methods are awaited."""
        return AsyncModelQuery(lambda: self.sync.query(model))

    def view(self, name: str) -> AsyncModelQuery[Any]:
        """A query over a reporting view, by its name. See `Application.view`."""
        return AsyncModelQuery(lambda: self.sync.view(name))

    async def views(self) -> list[ViewStatus]:
        """How each reporting view does. See `Application.views`."""
        return await asyncio.to_thread(self.sync.views)

    async def refresh(self, view: str) -> bool:
        """Computes the rows of a materialised view anew. See `Application.refresh`."""
        return await asyncio.to_thread(self.sync.refresh, view)

    def session(self, token: str | None = None) -> AsyncSession:
        """A session, whose queries wait for its own last write. See `Application.session`."""
        return AsyncSession(self, token)

    def watch(self, model: type[M], *, after: str | None = None, **conditions: Any) -> AsyncWatch[M]:
        """Follows a read model: `async with app.watch(Model) as changes`, then `async for`. See `Application.watch`."""
        return AsyncWatch(lambda: self.sync.watch(model, after=after, **conditions))

    async def diff(
        self, model: type[Any], key: Any, first: Mapping[str, Any], last: Mapping[str, Any] | None = None
    ) -> list[FieldChange]:
        """What differs in a row between two moments. See `Application.diff`."""
        return await asyncio.to_thread(self.sync.diff, model, key, first, last)

    async def catch_up(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Brings every read model up to date. See `Application.catch_up`; `on_progress` is called in the event loop."""
        await asyncio.to_thread(self.sync.catch_up, None if on_progress is None else _in_loop(on_progress))

    async def react(self) -> int:
        """Carries out what reactions have yet to do. See `Application.react`; coroutines run in an event loop of their own."""
        return await asyncio.to_thread(self.sync.react)

    async def rebuild(self, projection: str, on_progress: Callable[[Progress], None] = lambda _progress: None) -> int:
        """Folds the whole log anew. See `Application.rebuild`; `on_progress` is called in the event loop."""
        return await asyncio.to_thread(self.sync.rebuild, projection, _in_loop(on_progress))

    async def parked(self, projection: str | None = None) -> list[ParkedEvents]:
        """The events that rows could not take, by key. See `Application.parked`."""
        return await asyncio.to_thread(self.sync.parked, projection)

    async def retry_parked(self, projection: str, *keys: Any) -> list[Retried]:
        """Folds parked events in order onto their rows, as far as they go. See `Application.retry_parked`."""
        return await asyncio.to_thread(self.sync.retry_parked, projection, *keys)

    async def discard_parked(self, projection: str, key: Any, position: int | None = None) -> int:
        """Gives parked events up. See `Application.discard_parked`."""
        return await asyncio.to_thread(self.sync.discard_parked, projection, key, position)

    async def pause(self, projection: str) -> None:
        """Lets nobody keep a projection until it is resumed. See `Application.pause`."""
        await asyncio.to_thread(self.sync.pause, projection)

    async def resume(self, projection: str) -> None:
        """Lets a paused projection go on. See `Application.resume`."""
        await asyncio.to_thread(self.sync.resume, projection)

    async def reset(self, projection: str) -> None:
        """Empties the rows, to be folded anew. See `Application.reset`."""
        await asyncio.to_thread(self.sync.reset, projection)

    async def verify(self, projection: str, *, sample: int | None = None, repair: bool = False) -> list[Verified]:
        """Folds the log anew and compares the rows with what is stored. See `Application.verify`."""
        return await asyncio.to_thread(lambda: self.sync.verify(projection, sample=sample, repair=repair))

    def worker(self) -> Worker:
        """A worker that keeps the read models up to date in a thread: `async with app.worker(): ...`."""
        return self.sync.worker()

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


def _in_loop(call: Callable[..., None]) -> Callable[..., None]:
    """Calls it in the event loop that is running now, from whatever thread."""
    loop = asyncio.get_running_loop()

    def in_loop(*values: Any) -> None:
        loop.call_soon_threadsafe(call, *values)

    return in_loop
