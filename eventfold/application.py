"""The application: one log, its commands and its read models."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from commands import (
    Bus,
    Command,
    Envelope,
    Handler,
    Idempotency,
    Middleware,
    Receipt,
    RetryPolicy,
    Schedule,
    Scheduled,
    enclose,
)
from commands.brokers.opening import BrokerSource
from commands.bus import Innermost, check_middleware, pipeline
from commands.dispatched import Dispatched
from commands.inbox.consumer import Consumer
from commands.inbox.consuming import Consuming
from commands.inbox.inbox import Inbox
from commands.many import PARALLEL, check_keys, dispatch_many
from commands.middleware.look_up import LookUp, bound
from commands.outbox.outbox import Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.publish import ToMessage
from commands.schedule.recurrence import Missed
from commands.schedule.scheduled import Carried, State
from commands.schedule.when import When
from commands.unit_of_work import UnitOfWork
from eventfold.fire import fire_due
from eventfold.options import check_options
from eventfold.parts import Parts
from eventfold.react import react, retry_reaction_of
from eventfold.session import Session
from eventfold.worker import Worker
from eventstore import Aggregate, Event, EventStore, Loaded, Recording, Subscription, stream_name, subscribe
from eventstore.absence import stream_not_found
from eventstore.aggregate import category_of
from eventstore.bisect import bisect
from eventstore.blame import Blamed, blame
from eventstore.causation import Link, causes, effects
from eventstore.history import Step, history
from eventstore.joined_transaction import OpenTransaction
from eventstore.loading import moment
from eventstore.token import position_of
from projections import (
    BoundProjection,
    Engine,
    FieldChange,
    ModelQuery,
    ParkedEvents,
    Progress,
    Reaction,
    ReportingView,
    Retried,
    Verified,
    ViewQuery,
    ViewStatus,
    Watch,
    rebuild,
    verify,
    view_status,
)
from projections.mending import discard_parked, parked_of, retry_parked
from projections.moment import moment_in
from projections.pausing import pause, reset, resume
from projections.row_difference import row_difference
from projections.watch import watch

A = TypeVar("A", bound=Aggregate[Any])
M = TypeVar("M")
Rec = TypeVar("Rec", bound=Recording[Any])


class Application:
    """Ties a log, its handlers and its projections together. Safe to share among threads; a context manager.

        app = Application("sqlite:///bank.db", handlers=[withdraw], projections=[balances.into(SqlTable("balances"))])
        receipt = app.dispatch(Withdraw("a-1", 20))
        app.query(Balance).get("a-1", after=receipt.token)

    Nothing runs in the background unless asked to: a query with `after=` folds what it needs itself where no worker has done
    so yet, and `worker()` keeps the read models up to date.

    Args:
        url: where the log is: `sqlite:///path`, `postgresql://user@host/database` or `memory://`.
        handlers: functions under `@handles`.
        projections: each `projection.into(target, ...)`.
        views: reporting views over the tables of projections.
        reactions: functions under `@reaction`, and what `publication(...)` makes.
        schedules: commands that recur, each a `Schedule`.
        aggregates: aggregate classes that no handler takes, such as those of objects that record. The command line knows
            them too, and reading the log decodes their events.
        events: event classes that nothing else mentions, so that reading the log decodes them.
        middleware: plain callables `(envelope, call_next) -> receipt`, the first one outermost. Some are shipped, such as
            `log_commands()` and `look_up(...)`.
        retry: how often a conflicting command is decided again.
        idempotency: how long idempotency keys are kept, and whose they are.
        publish: from event classes to functions that make messages for other services of their events: each takes a `Recorded`
            event and returns a message, a list of them, or None. Messages are stored with the event, and sent by a relay.
        source: the service, as its messages name it: a URI reference; by default a slash and the name.
        consumers: functions under `@consumes`, which handle the messages of other services.
        broker: what carries messages between services: its URL, such as `nats://host`, or a function that makes a connection. Each
            event loop that needs one has its own.
        consuming: how messages are consumed, and the middleware around consumers.
        relay: how messages are sent: batches, retries, and what becomes of those that fail again and again.
        name: for people, in the status and the logs.
        options: as for `open_store`: `migrate`, `prefix`, `schema`, `max_payload`, ...

    Raises:
        DefinitionError: the parts contradict each other, or there is no such parameter.
        StoreError: the database cannot be used.
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
        middleware: Sequence[Middleware | LookUp] = (),
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
        check_options(url, options, Application)
        self._middleware = bound(middleware, self.query, self.was_done)
        check_middleware(self._middleware, awaited=False)
        self.name = name
        told_by = source if source is not None else f"/{name.replace(' ', '-')}"
        self._parts = Parts(
            url,
            handlers,
            projections,
            views,
            aggregates,
            events,
            options,
            reactions=reactions,
            publish=publish,
            source=told_by,
            schedules=schedules,
            consumers=consumers,
            broker=broker,
            consuming=consuming,
            relay=relay,
        )
        self._parts.application = self
        self._retry = retry if retry is not None else RetryPolicy()
        self._idempotency = idempotency if idempotency is not None else Idempotency()
        self._bus: Bus | None = None

    @property
    def parts(self) -> Parts:
        """The handlers, aggregates, events and projections that the application is made of."""
        return self._parts

    @property
    def store(self) -> EventStore:
        """The log, opened on first use."""
        return self._parts.store

    @property
    def inner(self) -> Innermost:
        """What stands between the middleware and the log, which is opened."""
        store = self.store
        parts = self._parts
        return Innermost(store, parts.ledger, parts.outbox, parts.handlers, self._retry, self._idempotency)

    @property
    def outbox(self) -> Outbox:
        """What is told to other services, and has been."""
        return self._parts.outbox

    @property
    def inbox(self) -> Inbox:
        """What other services say: how far it is handled, and what is set aside of it."""
        return self._parts.inbox

    def was_done(self, envelope: Envelope) -> bool:
        """Whether a command was done before, under its idempotency key."""
        return self.inner.done(envelope)

    @property
    def pipeline(self) -> tuple[str, ...]:
        """The way of a command from the outside to the decision, a name for each step."""
        return pipeline(self._middleware, self._retry)

    @property
    def engine(self) -> Engine:
        """What keeps the read models."""
        return self._parts.engine

    def dispatch(
        self,
        command: Command,
        *,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        occurred_at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Validates a command, decides it, and appends the events.

        Args:
            command: the command.
            correlation_id: the conversation that it belongs to; by default it begins one.
            causation_id: the id of the event or message that caused it; its events carry it on. By default the command's own id.
            occurred_at: when its events happened in the business, where that is not now.
            metadata: stored beside every event that it leads to.
            idempotency_key: a text that the sender makes up for this command, and sends again with it: from then on the answer is
                what it led to the first time, in any process, also where both arrive at the same moment.

        Returns:
            The receipt, whose `token` makes a query wait for this write.

        Raises:
            InvalidCommand: fields are faulty; all of them are named.
            Rejected: the decision refused.
            TooManyConflicts: every attempt met a change by somebody else.
            NoHandler: nothing handles the command.
            IdempotencyConflict: the key is that of another command.
            StoreError: the database refused or is gone.
        """
        envelope = enclose(
            command,
            correlation_id=correlation_id,
            causation_id=causation_id,
            occurred_at=occurred_at,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return self.send(envelope)

    def send(self, envelope: Envelope) -> Receipt:
        """Dispatches a command that is in its envelope already. See `dispatch`."""
        if self._bus is None:
            self._bus = Bus(self.inner, self._middleware)
        return self._bus.dispatch(envelope)

    def dispatch_many(
        self,
        commands: Iterable[Command],
        *,
        parallel: int = PARALLEL,
        idempotency_key: Callable[[Command], str] | None = None,
        **options: Any,
    ) -> list[Dispatched]:
        """Dispatches many commands, each on its own: one that fails fails alone. Those under way at once share transactions.

        Commands that name the same stream are handled in the order given.

        Args:
            commands: the commands.
            parallel: how many are under way at once, each in a thread.
            idempotency_key: from a command to its key.
            options: for each of them; see `dispatch`.

        Returns:
            What came of each, in the order given.

        Raises:
            InvalidInput: `idempotency_key` is no function, or `parallel` no number.
        """
        check_keys(idempotency_key)

        def send(command: Command) -> Receipt:
            key = None if idempotency_key is None else idempotency_key(command)
            return self.dispatch(command, idempotency_key=key, **options)

        return dispatch_many(commands, self._parts.handlers, send, parallel)

    def schedule(
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
        """Has a command dispatched later, by a worker: exactly once in effect, also where workers are killed.

        Args:
            command: the command; it is validated now, and decided when it is due.
            at: when it is due.
            after: in place of that, how long from now, as a timedelta or in seconds.
            cron: in place of that, the instants at which it comes again and again; see `Schedule`.
            every: in place of that, the interval after which it does.
            zone: the time zone in which `cron` is read.
            missed: of one that recurs, what is done about instants that have passed while no worker was at work; see `Schedule`.
            name: of one that recurs. Under a name that is there, the one that is kept is changed if it is another now.
            correlation_id: as for `dispatch`.
            causation_id: as for `dispatch`; by default the schedule's id.
            occurred_at: as for `dispatch`.
            metadata: as for `dispatch`; `due_at` is added to it.
            idempotency_key: as for `dispatch`, of one that comes once.
            connection: a transaction that the caller has open on the same database: it is scheduled with its commit.

        Returns:
            What is kept; its `id` is for `cancel`.

        Raises:
            InvalidCommand: fields are faulty.
            InvalidInput: an argument is not acceptable.
            NoHandler: nothing handles the command.
            Unsupported: there is no library for `cron`, or no transaction in memory.
        """
        self._parts.handlers.check(command)
        carried = Carried(correlation_id, causation_id, occurred_at, metadata, idempotency_key)
        schedules = self._parts.schedules
        row = schedules.row(command, carried, When(at, after, cron, every, zone, missed, name))
        schedules.keep(row, connection=connection)
        return row if name is None or connection is not None else schedules.get(name)

    def cancel(self, which: str) -> bool:
        """Cancels a scheduled command, which is never done then; not even where a worker is about to.

        Args:
            which: its id, or its name.

        Returns:
            False where it was done already, or cancelled before.

        Raises:
            NotFound: there is none.
        """
        return self._parts.schedules.cancel(which)

    def scheduled(self, which: str) -> Scheduled:
        """A scheduled command by its id or name: whether it waits, and how it went.

        Raises:
            NotFound: there is none, or it was done or cancelled more than a week ago.
        """
        return self._parts.schedules.get(which)

    def schedules(self, *states: State, limit: int | None = None) -> list[Scheduled]:
        """Scheduled commands by when they are due.

        Args:
            states: only those that are `waiting`, `done`, `failed` or `cancelled`.
            limit: at most so many.
        """
        return self._parts.schedules.page(states, limit)

    def fire_due(self) -> int:
        """Dispatches, in this thread, the scheduled commands that are due. A worker does so by itself.

        One that is refused or fails is not raised: see `scheduled(which).error`.

        Returns:
            How many were dispatched, with success or without.
        """
        return fire_due(self._parts)

    def unit_of_work(self) -> UnitOfWork:
        """Several commands and appends, stored together or not at all. See `UnitOfWork`."""
        return UnitOfWork(lambda: self.inner, self._middleware, enclose, lambda: self._parts.schedules)

    def load(
        self,
        aggregate: type[A],
        stream_id: str,
        *,
        at_version: int | None = None,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
    ) -> A:
        """The state of an aggregate, now or as it was. See `load_with_version` for the arguments."""
        return self.load_with_version(
            aggregate, stream_id, at_version=at_version, position=position, at=at, occurred=occurred
        ).state

    def load_with_version(
        self,
        aggregate: type[A],
        stream_id: str,
        *,
        at_version: int | None = None,
        position: int | None = None,
        at: datetime | None = None,
        occurred: datetime | None = None,
    ) -> Loaded[A]:
        """The state of an aggregate with its version and position.

        Args:
            aggregate: the aggregate class.
            stream_id: what follows the category in the stream's name.
            at_version: as it was at this version of the stream.
            position: as it was at this position of the log.
            at: as the log knew it at this instant.
            occurred: from the events that had occurred by this instant, as known now.

        Raises:
            StreamNotFound: the stream has no events, or had none at that moment.
        """
        part = moment(at_version=at_version, position=position, at=at, occurred=occurred)
        loaded = self.store.load(aggregate, stream_id, part)
        if loaded.version == 0:
            raise stream_not_found(self.store.backend, loaded.stream)
        return loaded

    def history(self, aggregate: type[A], stream_id: str, **moment_: Any) -> Iterator[Step[A]]:
        """The events of an aggregate, oldest first, each with the fields that it changed and the state after it.

        Args:
            aggregate: the aggregate class.
            stream_id: what follows the category in the stream's name.
            moment_: only as far as it went at a moment; the same bounds as for `load_with_version`.

        Raises:
            StreamNotFound: when iterated: the stream has no events, or had none at that moment.
        """
        return history(self.store.backend, aggregate, stream_id, moment(**moment_))

    def blame(self, aggregate: type[A], stream_id: str, **moment_: Any) -> list[Blamed]:
        """For each field of the state, the event that last set it. See `history` for the arguments."""
        return blame(aggregate, self.history(aggregate, stream_id, **moment_))

    def bisect(
        self, aggregate: type[A], stream_id: str, condition: str | Callable[[A], bool], **moment_: Any
    ) -> Step[A] | None:
        """The first event after which a condition holds; None where it holds after none. Looks at every event in turn.

        Args:
            aggregate: the aggregate class.
            stream_id: what follows the category in the stream's name.
            condition: a function of the state, or an expression such as `state.balance < 0` (needs the extra `bisect`).
            moment_: only as far as it went at a moment; the same bounds as for `load_with_version`.

        Raises:
            InvalidInput: the expression cannot be read, or cannot be answered for a state.
            StreamNotFound: the stream has no events, or had none at that moment.
        """
        return bisect(self.history(aggregate, stream_id, **moment_), condition)

    def causes(self, event_id: str, *, max_depth: int | None = None) -> list[Link]:
        """The event, what caused it, what caused that, and so on. See `eventstore.causation.causes`."""
        return causes(self.store, event_id, max_depth=max_depth)

    def effects(self, message_id: str, *, max_depth: int | None = None) -> list[Link]:
        """The event, what it caused, what that caused, and so on. See `eventstore.causation.effects`."""
        return effects(self.store, message_id, max_depth=max_depth)

    def snapshot(self, aggregate: type[Aggregate[Any]], stream_id: str) -> int:
        """Writes a snapshot of an aggregate as it is now, whatever its policy says, and waits for it.

        Returns:
            The version of the snapshot.

        Raises:
            DefinitionError: the aggregate declares no snapshots.
            StreamNotFound: the stream has no events.
            UnfitState: the state would not read back equal.
        """
        stream = stream_name(category_of(aggregate), stream_id)
        version, _ = self.store.snapshots.take(aggregate, stream)
        if version == 0:
            raise stream_not_found(self.store.backend, stream)
        return version

    def open(self, recording: type[Rec], stream_id: str) -> Rec:
        """An object-style aggregate as it stands now; `save` it with `app.save(...)`."""
        return recording.open(self.store, stream_id)

    def save(self, recording: Recording[Any]) -> Receipt | None:
        """Appends what an object-style aggregate has recorded; None where it has recorded nothing."""
        events = recording.recorded
        appended = recording.save(self.store)
        if appended is None:
            return None
        return Receipt(recording.stream, recording.version, appended.position, events, appended.versions)

    def query(self, model: type[M]) -> ModelQuery[M]:
        """A query over the read model, or the reporting view, of this class.

        Raises:
            UnknownModel: no projection keeps it.
        """
        return self._parts.query(model)

    def view(self, name: str) -> ViewQuery[Any]:
        """A query over a reporting view, by its name; `query` finds one by its model.

        Raises:
            UnknownModel: there is none of that name.
            ViewRefused: the database refuses its SQL.
        """
        return self._parts.view(name)

    def views(self) -> list[ViewStatus]:
        """How each reporting view does: its state, where it stands, and when it was refreshed."""
        return [view_status(self.store, each) for each in self.engine.views.values()]

    def refresh(self, view: str) -> bool:
        """Computes the rows of a materialised view anew.

        Args:
            view: its name.

        Returns:
            False where it is a plain one, or waits for one of its tables, or a newer version of the code keeps it with other SQL.

        Raises:
            UnknownModel: there is none of that name.
            ViewRefused: the database refuses its SQL, or a row that it gives; the former rows stay.
        """
        return self.engine.find_view(view).refresh()

    def session(self, token: str | None = None) -> Session:
        """A session, whose queries wait for its own last write.

        Args:
            token: of its last write, where it goes on from one.
        """
        from eventfold.session import Session

        return Session(self, token)

    def watch(self, model: type[M], *, after: str | None = None, **conditions: Any) -> Watch[M]:
        """Follows a read model: each row that events touch, as it is committed.

            with app.watch(Balance, amount__lt=0) as changes:
                for change in changes: ...

        Args:
            model: whose rows.
            after: the `token` of the last change that was told, to go on from there; by default only what comes from now on.
            conditions: as for `where`; rows that match no more are told of with None.

        Raises:
            UnknownModel: no projection keeps it.
            InvalidQuery: a condition does not fit the model.
        """
        query = self.query(model).where(**conditions)
        return watch(query, self._parts.track_of(model), None if after is None else position_of(after))

    def diff(
        self, model: type[Any], key: Any, first: Mapping[str, Any], last: Mapping[str, Any] | None = None
    ) -> list[FieldChange]:
        """What differs in a row between two moments, field by field, each with the event that changed it.

            app.diff(Balance, "a-1", {"at": yesterday}, {"at": today})

        Args:
            model: whose row.
            key: of the row.
            first: a moment, by the names that `as_of` takes.
            last: another one, not before it; by default now.

        Raises:
            InvalidInput: a moment is not acceptable, or the second is before the first.
        """
        track, store = self._parts.track_of(model), self.store
        return row_difference(store, track.projection, key, moment_in(store, **first), moment_in(store, **(last or {})))

    def catch_up(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Brings every read model up to date with the log as it is now.

        Args:
            on_progress: called after every batch with the position reached and the position to be reached.

        Raises:
            ProjectionFailed: a fold failed; the others have caught up. An `EventParked` is raised once: all but its key has.
            ProjectionPaused: a projection is paused; the others have caught up.
            NeedsRebuild: rows were made by another version of their projection.
        """
        self.engine.catch_up(on_progress)

    def react(self) -> int:
        """Carries out, in this thread, what reactions have yet to do up to the log's end as it is now.

        What a worker has in hand, and what is paused, is left. Neither queries nor `catch_up` ever carry out a reaction.

        Returns:
            By how many positions the reactions have moved, in all; 0 where there was nothing to do.

        Raises:
            ReactionFailed: one stands still, or has parked an event; the others have caught up.
        """
        return react(self._parts)

    def rebuild(self, projection: str, on_progress: Callable[[Progress], None] = lambda _progress: None) -> int:
        """Folds the whole log anew beside the rows that queries see, and then puts the new rows in their place at once.

        Args:
            projection: its name; all of its targets are rebuilt, one after the other.
            on_progress: called after every batch.

        Returns:
            How many events were folded, in all targets together; one that touches several rows counts once.

        Raises:
            DefinitionError: there is no projection of that name.
            ProjectionFailed: a fold failed; the rows that queries see are untouched.
        """
        return sum(rebuild(self.store, track, on_progress=on_progress) for track in self.engine.find(projection))

    def parked(self, projection: str | None = None) -> list[ParkedEvents]:
        """The events that rows could not take, or that reactions have failed on, by key.

        Args:
            projection: its name, or a reaction's; all by default.

        Raises:
            DefinitionError: there is none of that name.
        """
        return [each for track in self._parts.tracks(projection) for each in parked_of(track)]

    def retry_parked(self, projection: str, *keys: Any) -> list[Retried]:
        """Folds parked events in order onto their rows, as far as they go. Workers need not be stopped.

        Of a reaction, it carries them out, in this thread.

        Args:
            projection: its name, or a reaction's.
            keys: of the rows; by default all. Events whose key could not be told are left to a rebuild.

        Raises:
            DefinitionError: there is none of that name.
            NotFound: nothing is parked for one of the keys.
            NeedsRebuild: the rows were made by another version of the projection; a rebuild folds parked events too.
        """
        if any(each.name == projection for each in self._parts.reactions):
            return retry_reaction_of(self._parts, projection, keys)
        return retry_parked(self.store, self.engine.find(projection), keys)

    def discard_parked(self, projection: str, key: Any, position: int | None = None) -> int:
        """Gives parked events up: the row never contains them, unless the projection is rebuilt or reset.

        Args:
            projection: its name, or a reaction's, which never carries them out.
            key: of the row; None for the events whose key could not be told.
            position: of the one event to give up; all of the key by default.

        Returns:
            How many they were, in all targets.

        Raises:
            DefinitionError: there is none of that name.
            NotFound: no such event is parked.
        """
        return discard_parked(self.store, self._parts.tracks(projection), key, position)

    def pause(self, projection: str) -> None:
        """Lets nobody keep a projection, in any process, until it is resumed. Its rows can be read, rebuilt and mended.

        The same holds for a reaction, which is not carried out meanwhile.

        Raises:
            DefinitionError: there is none of that name.
        """
        pause(self.store, self._parts.tracks(projection))

    def resume(self, projection: str) -> None:
        """Lets a paused projection, or reaction, go on from where it stands.

        Raises:
            DefinitionError: there is none of that name.
        """
        resume(self.store, self._parts.tracks(projection))

    def reset(self, projection: str) -> None:
        """Empties the rows that queries see, and lets workers and queries fold them anew from the beginning of the log.

        `rebuild` spares readers the empty rows.

        Raises:
            DefinitionError: there is no projection of that name.
        """
        reset(self.store, self.engine.find(projection))

    def verify(self, projection: str, *, sample: int | None = None, repair: bool = False) -> list[Verified]:
        """Folds the log anew and compares the rows with what is stored, in each target. Workers may go on meanwhile.

        Args:
            projection: its name.
            sample: compare only so many rows, chosen at random.
            repair: write the rows that differ as they should be, and no others.

        Raises:
            DefinitionError: there is no projection of that name.
            ProjectionFailed: the fold raised.
            NeedsRebuild: the rows were made by another version of the projection.
        """
        return [verify(self.store, each, sample=sample, repair=repair) for each in self.engine.find(projection)]

    def worker(self) -> Worker:
        """A worker: keeps read models up to date, carries out reactions, dispatches scheduled commands, consumes messages.

        `run()` it, or use it as a context manager in a thread.
        """
        return Worker(self._parts)

    def subscribe(self, *, after: int = 0, **filters: Any) -> Subscription:
        """Follows the log. See `eventstore.subscribe`."""
        return subscribe(self.store, after=after, **filters)

    def close(self) -> None:
        """Lets go of the database."""
        self._parts.close()
        self._bus = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
