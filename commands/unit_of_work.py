"""A unit of work: several commands and appends, stored together or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar, Self

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.bus import AsyncBus, AsyncMiddleware, Bus, Innermost, Middleware
from commands.cloud_event import CloudEvent
from commands.command import Command
from commands.envelope import Envelope
from commands.idempotency.claim import Claim
from commands.receipt import Receipt
from commands.schedule.scheduled import Carried, Scheduled
from commands.schedule.schedules import Schedules
from commands.schedule.when import When
from commands.staging import Staging
from commands.steps import Append, LoadQuery, LoadStreams, LookUpVersion, Remember, Step, Tell
from eventstore import ANY, Appended, Event, ExpectedVersion, InvalidInput, NewEvent, StreamAppend
from eventstore.joined_transaction import OpenTransaction

Enclose = Callable[..., Envelope]


class Unit:
    """What the sync and the async unit of work share.

    Attributes:
        receipt: of all that was stored, once it is; None before, and where there was nothing to store.
    """

    _block: ClassVar[str]

    def __init__(self, inner: Callable[[], Innermost], enclose: Enclose, schedules: Callable[[], Schedules]) -> None:
        self.receipt: Receipt | None = None
        self._open_log = inner
        self._enclose = enclose
        self._schedules = schedules
        self._scheduled: list[Scheduled] = []
        self._begun, self._open = False, True

    @cached_property
    def _inner(self) -> Innermost:
        return replace(self._open_log(), policy=None)  # what the unit has read before cannot be decided again

    @cached_property
    def _staging(self) -> Staging:
        return Staging(self._inner.store)

    def append(self, stream: str, events: Sequence[Event | NewEvent[Any]], *, expected: ExpectedVersion = ANY) -> None:
        """Takes events to be stored with the rest.

        Args:
            stream: `category-id`.
            events: plain or as `NewEvent`.
            expected: the version that the stream must be at, with what the unit has decided before.

        Raises:
            InvalidInput: an argument is not acceptable, or the unit has not begun, or is over.
            WrongExpectedVersion: the stream will be at another version.
        """
        self._check_open()
        self._staging.stage([StreamAppend(stream, events, expected)])

    def _schedule(self, command: Command, options: dict[str, Any]) -> Scheduled:
        self._check_open()
        self._inner.handlers.check(command)
        when = {name: options.pop(name) for name in When.__struct_fields__ if name in options}
        self._scheduled.append(self._schedules().row(command, Carried(**options), When(**when)))
        return self._scheduled[-1]

    def perform(self, step: Step) -> Any:
        """Does what the steps of a command ask for, on what is stored and decided so far."""
        match step:
            case LoadStreams(targets):
                return [self._staging.load(aggregate, stream) for aggregate, stream in targets]
            case LoadQuery(aggregate, query, start):
                return self._staging.load_query(aggregate, query, start)
            case LookUpVersion(stream):
                return self._staging.version(stream)
            case Append(appends, _, beside) if not _has_key(beside):
                self._staging.beside += beside
                return self._staging.stage(appends)  # the query's condition is known since it was loaded
            case Tell(messages, None):
                self._staging.beside += messages
                return None
            case Remember():
                return None
        raise InvalidInput("idempotency_key: expected none within a unit of work; dispatch such a command by itself")

    def _begin(self) -> None:
        _ = self._inner, self._staging  # before threads ask for them at once, each of which might make its own
        self._begun = True

    def _check_open(self) -> None:
        if not self._begun:
            raise InvalidInput(
                f"unit of work: expected one that has begun, got one that would store nothing; use `{self._block} as work:`"
            )
        if not self._open:
            raise InvalidInput("unit of work: expected an open one, got one that is over; begin another")

    @property
    def _beside(self) -> tuple[object, ...]:
        """What is stored with the events."""
        return (*self._staging.beside, *self._scheduled)

    def _store_alone(self, connection: OpenTransaction | None = None) -> None:
        """Where nothing is appended: messages and scheduled commands, in one transaction."""
        messages = [each for each in self._staging.beside if isinstance(each, CloudEvent)]
        if messages and connection is None:
            self._inner.outbox.keep(messages, self._keep_scheduled if self._scheduled else lambda _connection: None)
            return
        if messages:
            self._inner.outbox.keep_on(connection, messages)
        if self._scheduled:
            self._schedules().keep(*self._scheduled, connection=connection)

    def _keep_scheduled(self, connection: Connection | None) -> None:
        self._schedules().table.keep(connection, self._scheduled)
        self._schedules().signal.ring()

    def _over(self, appends: Sequence[StreamAppend], appended: Appended) -> None:
        if self._scheduled:
            self._schedules().signal.ring()
        events = tuple(new.event for each in appends for new in each.events)
        stream = appends[0].stream
        self.receipt = Receipt(stream, appended.versions[stream], appended.position, events, appended.versions)


def _has_key(beside: Sequence[object]) -> bool:
    return any(isinstance(each, Claim) for each in beside)


class UnitOfWork(Unit):
    """Stores what its block has decided, when the block ends without an error. Of one thread.

        with app.unit_of_work() as work:
            work.dispatch(Withdraw("a-1", 20))
            work.dispatch(Deposit("a-2", 20))
        work.receipt.token

    Each decision sees what the ones before it have decided. Nothing is tried again: where somebody else has moved one of the
    streams or queries meanwhile, nothing is stored, and the block's end raises a `Conflict`.
    """

    _block = "with app.unit_of_work()"

    def __init__(
        self,
        inner: Callable[[], Innermost],
        middleware: Sequence[Middleware],
        enclose: Enclose,
        schedules: Callable[[], Schedules],
    ) -> None:
        super().__init__(inner, enclose, schedules)
        self._middleware = middleware

    @cached_property
    def _bus(self) -> Bus:
        return Bus(self._inner, self._middleware, self.perform)

    def dispatch(self, command: Command, **options: Any) -> tuple[Any, ...]:
        """Validates and decides a command. See `Application.dispatch`.

        Returns:
            The events that it leads to, if the unit is stored.
        """
        self._check_open()
        return self._bus.dispatch(self._enclose(command, **options)).events

    def schedule(self, command: Command, **options: Any) -> Scheduled:
        """Has a command dispatched later, if the unit is stored. See `Application.schedule`; it takes no `connection`.

        Raises:
            InvalidInput: an argument is not acceptable, or the unit has not begun, or is over.
            NoHandler: nothing handles the command.
        """
        return self._schedule(command, options)

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._open:
            self.store()
        self._open = False

    def store(self, connection: OpenTransaction | None = None) -> None:
        """Stores what was decided, and ends the unit; a block that ends without an error does it by itself.

        Args:
            connection: a transaction that the caller has open on the log's database, and commits himself.

        Raises:
            InvalidInput: the unit has not begun, or is over.
            Conflict: somebody else has moved one of its streams or queries; nothing was stored.
        """
        self._check_open()
        self._open = False
        appends, condition = self._staging.all()
        if self._staging.appends:
            append_all = self._inner.store.append_all
            self._over(appends, append_all(appends, condition=condition, connection=connection, beside=self._beside))
        else:
            self._store_alone(connection)


class AsyncUnitOfWork(Unit):
    """`UnitOfWork` for an asyncio task: `async with app.unit_of_work() as work: await work.dispatch(...)`."""

    _block = "async with app.unit_of_work()"

    def __init__(
        self,
        inner: Callable[[], Innermost],
        middleware: Sequence[AsyncMiddleware],
        enclose: Enclose,
        schedules: Callable[[], Schedules],
    ) -> None:
        super().__init__(inner, enclose, schedules)
        self._middleware = middleware

    @cached_property
    def _bus(self) -> AsyncBus:
        return AsyncBus(self._inner, self._middleware, self._perform)

    async def _perform(self, step: Step) -> Any:
        return await asyncio.to_thread(self.perform, step)

    async def dispatch(self, command: Command, **options: Any) -> tuple[Any, ...]:
        """Validates and decides a command. See `UnitOfWork.dispatch`."""
        self._check_open()
        return (await self._bus.dispatch(self._enclose(command, **options))).events

    async def schedule(self, command: Command, **options: Any) -> Scheduled:
        """Has a command dispatched later, if the unit is stored. See `UnitOfWork.schedule`."""
        return await asyncio.to_thread(self._schedule, command, options)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._open = False
        appends, condition = self._staging.all()
        if kind is None and self._staging.appends:
            store = self._inner.store
            self._over(appends, await store.append_all_async(appends, condition=condition, beside=self._beside))
        elif kind is None:
            await asyncio.to_thread(self._store_alone)
