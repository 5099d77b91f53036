"""What an application is made of, shared by the sync and the async one."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from commands import Command, Handler, HandlerMap, NoHandler, Schedule
from commands.brokers.broker import Broker
from commands.brokers.opening import BrokerSource, check_broker, open_broker
from commands.brokers.sender import Sender
from commands.idempotency.ledger import Ledger
from commands.idempotency.opening import open_ledger
from commands.inbox.consumer import Consumer
from commands.inbox.consuming import Consuming
from commands.inbox.group import check_consumers, groups_of
from commands.inbox.inbox import Inbox
from commands.inbox.positions import check_positions
from commands.outbox.outbox import Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.preparation import check_source
from commands.outbox.publish import ToMessage, check_publish
from commands.schedule.opening import open_schedules
from commands.schedule.schedules import Schedules
from eventfold.declared import (
    check_aggregates,
    check_each,
    check_reactions,
    check_schedules,
    check_targets,
    known_aggregates,
    known_events,
)
from eventfold.migrations import make_or_check, migrate, missing_file, pending, pending_in_new_file
from eventfold.other_databases import others_for_now, pending_elsewhere, prepare_others
from eventstore import Aggregate, DefinitionError, Event, EventStore, open_store
from eventstore.aggregate import category_of, retired_of
from eventstore.codec import Codec
from eventstore.opening import carried_over, open_backend, options_in
from projections import (
    BoundProjection,
    Engine,
    ModelQuery,
    ReportingView,
    UnknownModel,
    ViewQuery,
)
from projections.other_database import close_others
from projections.reaction import Reaction, reaction_track
from projections.track import Track

logger = logging.getLogger(__name__)

KNOWN_AGGREGATES = "an application knows the aggregates of its handlers, and those named in its `aggregates=`"


class Parts:
    """Handlers, projections, and the store that is opened on first use.

    Importing an application therefore touches no database, and `check` can look at it without one.
    """

    def __init__(
        self,
        url: str,
        handlers: Iterable[Handler[..., Any]],
        projections: Iterable[BoundProjection[Any]],
        views: Iterable[ReportingView],
        aggregates: Iterable[type[Aggregate[Any]]],
        events: Any,
        options: Mapping[str, Any],
        reactions: Iterable[Reaction] = (),
        publish: Mapping[type[Event], ToMessage] | None = None,
        source: str = "/application",
        schedules: Iterable[Schedule] = (),
        consumers: Iterable[Consumer[..., Any]] = (),
        broker: BrokerSource | None = None,
        consuming: Consuming | None = None,
        relay: RelayPolicy | None = None,
    ) -> None:
        self.url = url
        self.consumers = check_consumers(consumers)
        self.broker = check_broker(broker)
        check_positions(groups_of(self.consumers), self.broker)  # finds, too, those that contradict each other
        self.sender = Sender(broker)
        self.consuming = consuming if consuming is not None else Consuming()
        self.relay = relay if relay is not None else RelayPolicy()
        self.publish = check_publish(publish or {})
        self.source = check_source(source)
        self.handlers = HandlerMap(handlers)
        self.projections = check_each(projections, BoundProjection, "projections: expected projection.into(...)")
        check_targets(self.projections, url)
        self.views = check_each(views, ReportingView, "views: expected a ReportingView")
        self.reactions = check_reactions(reactions, self.projections, self.broker)
        self.declared_schedules = check_schedules(schedules, self.handlers)
        self.application: Any = None  # whose parts these are: what a reaction is given
        self.declared_aggregates = check_aggregates(aggregates)
        self.aggregates = known_aggregates(self.handlers, self.declared_aggregates)
        self.events = known_events(events, self.aggregates, self.projections, self.reactions, self.publish)
        self._options = dict(options)
        self._declared = url, self._options
        self._opening = threading.RLock()  # two threads that come first must not open two logs
        self._store: EventStore | None = None
        self._engine: Engine | None = None
        self._ledger: Ledger | None = None
        self._outbox: Outbox | None = None
        self._schedules: Schedules | None = None
        self._inbox: Inbox | None = None
        self._reactions: list[tuple[Reaction, Track]] = []
        Codec(self.events)  # finds two classes with one type name before anything is stored

    @property
    def store(self) -> EventStore:
        """The log, opened on first use; reactions that it has not seen yet begin now."""
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            return self._store

    @property
    def ledger(self) -> Ledger:
        """The idempotency keys, kept beside the log."""
        with self._opening:
            if self._ledger is None:
                self._ledger = open_ledger(self.store)
            return self._ledger

    @property
    def outbox(self) -> Outbox:
        """What is told to others, kept beside the log."""
        with self._opening:
            store = self.store  # opens the log, which makes the outbox where events are published
            if self._outbox is None:
                self._outbox = Outbox(store, source=self.source, publish=self.publish, passing=self.relay.streamed)
            return self._outbox

    def open_broker(self) -> Broker:
        """A connection to the broker, for the event loop that asks for it, and closes it.

        Raises:
            DefinitionError: the application names none.
            InvalidInput: its URL is not one of a broker.
        """
        if self.broker is None:
            raise DefinitionError("the application names no broker: give Application(broker=...) a URL")
        return open_broker(self.broker)

    @property
    def schedules(self) -> Schedules:
        """The scheduled commands, kept beside the log; those that the code declares are there."""
        with self._opening:
            if self._schedules is None:
                opened = open_schedules(self.store)
                opened.declare(self.declared_schedules)
                self._schedules = opened
            return self._schedules

    @property
    def inbox(self) -> Inbox:
        """What other services say, and what came of it, kept beside the log."""
        with self._opening:
            if self._inbox is None:
                self._inbox = Inbox(
                    self.store,
                    consumers=self.consumers,
                    broker=self.broker,
                    consuming=self.consuming,
                    outbox=self.outbox,
                    unit=getattr(self.application, "sync", self.application).unit_of_work,
                )
            return self._inbox

    @property
    def reactions_in_log(self) -> list[tuple[Reaction, Track]]:
        """Each reaction with where it stands."""
        with self._opening:
            assert self.store is not None  # noqa: S101 - opens the log, which registers them
            return self._reactions

    def tracks(self, name: str | None = None) -> list[Track]:
        """Where a projection stands in its targets, or a reaction; of all by default.

        Raises:
            DefinitionError: there is none of that name.
        """
        reactions = [track for reaction, track in self.reactions_in_log if name in {None, reaction.name}]
        if name is None:
            return [*self.engine.tracks, *reactions]
        return reactions or self.engine.find(name)

    def reaction(self, name: str) -> tuple[Reaction, Track]:
        """A reaction by its name, and where it stands.

        Raises:
            DefinitionError: there is none of that name.
        """
        for each in self.reactions_in_log:
            if each[0].name == name:
                return each
        known = ", ".join(each.name for each in self.reactions) or "none"
        raise DefinitionError(f"no reaction is called {name!r} (there are: {known})")

    def open(self, *, migrate: bool | None) -> EventStore:
        """Opens the log and sees to the tables of commands and projections."""
        options = {key: value for key, value in self._options.items() if key != "migrate"}
        store = open_store(self.url, events=self.events, migrate=migrate, **options)
        try:
            make_or_check(store, migrate=migrate)
            prepare_others(store, self.projections, migrate)
        except BaseException:
            close_others(store.backend)
            store.close()
            raise
        return store

    def _opened(self) -> EventStore:
        store = self.open(migrate=self._options.get("migrate"))
        try:
            self._reactions = [(each, reaction_track(store, each)) for each in self.reactions]
            if any(each.consistency == "inline" for each in self.projections):  # appends fold from the first one on
                self._engine = Engine(store, self.projections, views=self.views)
            if self.publish:  # the same
                self._outbox = Outbox(store, source=self.source, publish=self.publish, passing=self.relay.streamed)
        except BaseException:
            close_others(store.backend)
            store.close()
            raise
        return store

    def use_database(self, url: str) -> None:
        """Turns to another database than the one that the code names: a copy, a trial, another environment.

        Options that only the former kind of database has are left out. A `prefix` or `schema` may stand in the URL, as in
        `postgresql://host/database?schema=shop`.
        """
        self.close()
        url, named = options_in(url)
        declared_url, options = self._declared
        self._options = carried_over(options, declared_url, url) | named
        self.url = url
        check_targets(self.projections, url)

    def migrate(self) -> list[str]:
        """Brings the tables of the log and the projections to the newest version; returns the migrations applied."""
        with self.open_unchecked() as store, others_for_now(store, self.projections) as others:
            return migrate(store) + [name for each in others for name in each.migrate()]

    def pending_migrations(self) -> list[str]:
        """The migrations that `migrate` would apply; the database is left as it is."""
        file = missing_file(self.url)
        with self.open_unchecked() as store, others_for_now(store, self.projections) as others:
            own = pending(store) if file is None else pending_in_new_file(file)
            return own + [name for each in others for name in pending_elsewhere(each)]

    def open_unchecked(self) -> EventStore:
        """The log with its tables neither looked at nor made."""
        options = {
            key: value for key, value in self._options.items() if key not in {"migrate", "max_payload", "cache_states"}
        }
        return EventStore(open_backend(self.url, **options), events=self.events)

    @property
    def engine(self) -> Engine:
        """What keeps the read models."""
        with self._opening:
            store = self.store
            if self._engine is None:
                self._engine = Engine(store, self.projections, views=self.views)
            return self._engine

    @cached_property
    def retired(self) -> frozenset[str]:
        """The stored types that aggregates pass over."""
        return frozenset(name for aggregate in self.aggregates for name in retired_of(aggregate))

    @cached_property
    def commands(self) -> dict[str, Any]:
        """The command classes by name."""
        return {handler.command.__name__: handler.command for handler in self.handlers}

    def track_of(self, model: type[Any]) -> Track:
        """The first target of the projection that keeps a model.

        Raises:
            UnknownModel: no projection does.
            DefinitionError: several do.
        """
        found = [each for each in self.engine.tracks if each.projection.model.cls is model]
        names = list(dict.fromkeys(each.projection.name for each in found))
        if not found:
            known = ", ".join(each.projection.model.cls.__name__ for each in self.projections) or "none"
            raise UnknownModel(f"no projection keeps {getattr(model, '__name__', model)} (there are: {known})")
        if len(names) > 1:
            raise DefinitionError(f"{model.__name__} is kept by {' and '.join(names)}; give each a model of its own")
        return found[0]

    def query(self, model: type[Any], since: Callable[[], str | None] = lambda: None) -> ModelQuery[Any]:
        """A query over a read model, or over the reporting view that has this model.

        Args:
            model: what a row looks like.
            since: tells the token that is meant where a method is given none.
        """
        view = next((each for each in self.views if each.model is not None and each.model.cls is model), None)
        if view is not None:
            return self.view(view.name, since)
        return ModelQuery(self.engine, self.track_of(model), since=since)

    def query_named(self, name: str) -> ModelQuery[Any]:
        """A query over a read model, by its class name or its projection's name, or over a reporting view.

        Raises:
            UnknownModel: there is none of that name.
        """
        for view in self.views:
            if name == view.name or (view.model is not None and name == view.model.cls.__name__):
                return self.view(view.name)
        return self.query(self.model(name))

    def view(self, name: str, since: Callable[[], str | None] = lambda: None) -> ViewQuery[Any]:
        """A query over a reporting view. See `query`."""
        return ViewQuery(self.engine, self.engine.find_view(name), since=since)

    def command(self, name: str) -> type[Command]:
        """A command that something handles, by its class name.

        Raises:
            NoHandler: there is none of that name.
        """
        if name not in self.commands:
            known = ", ".join(sorted(self.commands)) or "none"
            plain = name.replace("_", "").lower()  # as the handler is called, perhaps
            meant = [f"; did you mean {each}?" for each in self.commands if each.lower() == plain]
            raise NoHandler(f"no command is called {name!r} (there are: {known}){''.join(meant)}")
        found: type[Command] = self.commands[name]
        return found

    def model(self, name: str) -> type[Any]:
        """A read model by its class name or its projection's name.

        Raises:
            UnknownModel: there is none of that name.
        """
        for each in self.projections:
            if name in {each.projection.name, each.projection.model.cls.__name__}:
                return each.projection.model.cls
        known = ", ".join(each.projection.model.cls.__name__ for each in self.projections) or "none"
        raise UnknownModel(f"no read model is called {name!r} (there are: {known})")

    def aggregate(self, name: str) -> type[Aggregate[Any]]:
        """An aggregate by its class name or category.

        Raises:
            UnknownModel: there is none of that name.
        """
        for cls in self.aggregates:
            if name in {cls.__name__, category_of(cls)}:
                return cls
        known = ", ".join(sorted(cls.__name__ for cls in self.aggregates)) or "none"
        raise UnknownModel(f"no aggregate is called {name!r} (there are: {known}); {KNOWN_AGGREGATES}")

    def close(self) -> None:
        """Closes the store; the next use opens it again."""
        with self._opening:
            self.sender.close()
            if self._store is not None:
                close_others(self._store.backend)
                self._store.close()
            self._store = self._engine = self._ledger = self._outbox = self._schedules = self._inbox = None
            self._reactions = []
