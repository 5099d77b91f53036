"""Whatever is done in whatever order, each backend agrees with a list: see `model.py`."""

import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from eventstore import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    AppendCondition,
    Appended,
    DuplicateEventId,
    EventStore,
    ExpectedVersion,
    NewEvent,
    Query,
    QueryItem,
    StreamAppend,
    Subscription,
    open_store,
    subscribe,
)
from eventstore.loading import load_stream, moment
from eventstore.recorded import to_datetime
from tests.eventstore.model import EVENTS, Basket, Model, Moved, Put, Took, Wanted, entry_of, tags_of

Open: TypeAlias = Callable[[int], EventStore]
"""Opens a store on the log of this number, which begins empty."""

QUICK = settings(max_examples=40, stateful_step_count=30)
LONG = settings(max_examples=400, stateful_step_count=50)

ids = count(1)
logs = count(1)

shelves = st.sampled_from(["a", "b"])
events = st.one_of(
    st.builds(Put, st.integers(0, 3), st.none() | shelves),
    st.builds(Took, st.integers(0, 3)),
    st.builds(Moved, shelves),
)
tags = st.lists(st.sampled_from(["shelf:a", "shelf:b", "red", "blue"]), max_size=2, unique=True)
names = st.sampled_from(["cart-1", "cart-2", "cart", "carton-1", "box-1-a"])
expectations = st.sampled_from([ANY, ANY, NO_STREAM, STREAM_EXISTS, "its version", "its version"]) | st.integers(0, 4)
batches = st.lists(
    st.tuples(names, expectations, st.lists(st.tuples(events, tags), min_size=1, max_size=4)),
    min_size=1,
    max_size=3,
    unique_by=lambda part: part[0],
)
items = st.builds(
    lambda types, chosen: QueryItem(tuple(types), tuple(chosen)),
    st.lists(st.sampled_from(["Put", "Took", "shelf-moved"]), max_size=2, unique=True),
    tags,
).filter(lambda item: bool(item.types or item.tags))
queries = st.builds(lambda chosen: Query(tuple(chosen)), st.lists(items, min_size=1, max_size=3))
places = st.integers(0, 40)
"""Which position, of those there are: see `_position`."""
filters = st.one_of(
    st.tuples(st.none(), st.none(), queries, st.none(), st.none()),
    st.tuples(
        st.none() | st.sampled_from(["cart", "box", "nowhere"]),
        st.none() | names,
        st.none() | queries,
        st.none() | places,
        st.none() | places,
    ),
)
limits = st.none() | st.integers(0, 6)
pages = st.integers(1, 3)

Batch: TypeAlias = list[tuple[str, Any, list[tuple[Any, list[str]]]]]
Filter: TypeAlias = tuple[str | None, str | None, Query | None, int | None, int | None]


class LogMachine(RuleBasedStateMachine):
    """Does the same to a store and to a model of it."""

    def __init__(self, open_log: Open) -> None:
        super().__init__()
        self.number = next(logs)
        self.open_log = open_log
        self.store = open_log(self.number)
        self.model = Model()
        self.repeatable: list[tuple[list[StreamAppend], Appended]] = []
        self.followers: list[tuple[Subscription, Wanted]] = []

    def teardown(self) -> None:
        self._close()

    # -- append ----------------------------------------------------------------------------------------------------

    @rule(batch=batches, guard=st.none() | st.tuples(queries, places), own_ids=st.booleans())
    def append(self, batch: Batch, guard: tuple[Query, int] | None, own_ids: bool) -> None:
        appends = self._appends(batch, own_ids=own_ids)
        condition = guard and AppendCondition(guard[0], self._position(guard[1]))
        refusals = self.model.refusals(appends, condition)
        if refusals:
            with pytest.raises(refusals):
                self.store.append_all(appends, condition=condition)
            return
        appended = self.store.append_all(appends, condition=condition)
        self._take_in(appends, appended)
        if own_ids:
            self.repeatable.append((appends, appended))

    @rule(batch=batches, commit=st.booleans())
    @precondition(lambda self: self.store.backend.engine is not None)
    def append_in_a_transaction(self, batch: Batch, commit: bool) -> None:
        appends = self._appends(batch, own_ids=False)
        refusals = self.model.refusals(appends, None)
        with self.store.backend.engine.connect().execution_options(writes=True) as connection:
            if refusals:
                with pytest.raises(refusals):
                    self.store.append_all(appends, connection=connection)
                connection.commit()
                return
            appended = self.store.append_all(appends, connection=connection)
            assert list(self.store.read_log(after=self.model.last_position())) == []
            if not commit:
                connection.rollback()
                return
            connection.commit()
        self._take_in(appends, appended)

    @rule(which=places)
    @precondition(lambda self: self.repeatable)
    def repeat_an_append(self, which: int) -> None:
        appends, first = self.repeatable[which % len(self.repeatable)]
        assert self.store.append_all(appends) == first

    @rule(which=places, change=st.sampled_from(["content", "stream", "one more"]))
    @precondition(lambda self: self.repeatable)
    def use_an_id_again(self, which: int, change: str) -> None:
        (first, *others), _ = self.repeatable[which % len(self.repeatable)]
        if change == "content":
            first = replace(first, events=[replace(first.events[0], event=Took(99)), *first.events[1:]])
        elif change == "stream":
            first = replace(first, stream="elsewhere-1")
        else:
            first = replace(first, events=[*first.events, Took(1)])
        with pytest.raises(DuplicateEventId):
            self.store.append_all([first, *others])

    # -- read ------------------------------------------------------------------------------------------------------

    @rule(wanted=filters, after=places, up_to=st.none() | places, backwards=st.booleans(), limit=limits, page=pages)
    def read_the_log(
        self, wanted: Filter, after: int, up_to: int | None, backwards: bool, limit: int | None, page: int
    ) -> None:
        chosen, low = self._wanted(wanted), self._position(after)
        high = None if up_to is None else self._position(up_to)
        expected = self.model.between(low, high, chosen)
        found = self.store.read_log(
            after=low, up_to=high, backwards=backwards, limit=limit, page_size=page, **_asked(chosen)
        )
        assert list(map(entry_of, found)) == (expected[::-1] if backwards else expected)[:limit]

    @rule(
        name=names,
        after=st.integers(0, 6),
        up_to=st.none() | st.integers(0, 8),
        backwards=st.booleans(),
        limit=limits,
        page=pages,
    )
    def read_a_stream(
        self, name: str, after: int, up_to: int | None, backwards: bool, limit: int | None, page: int
    ) -> None:
        expected = self.model.stream(name)[after:up_to]
        found = self.store.read_stream(
            name, after_version=after, up_to_version=up_to, backwards=backwards, limit=limit, page_size=page
        )
        assert list(map(entry_of, found)) == (expected[::-1] if backwards else expected)[:limit]

    @rule(name=names, version=st.none() | st.integers(0, 8), place=st.none() | places)
    def fold_a_stream(self, name: str, version: int | None, place: int | None) -> None:
        position = None if place is None else self._position(place)
        expected = [
            entry.event for entry in self.model.stream(name)[:version] if position is None or entry.position <= position
        ]
        loaded = load_stream(self.store.backend, Basket, name, moment(at_version=version, position=position))
        assert list(loaded.state.history) == expected
        assert loaded.version == len(expected)

    @rule(category=st.none() | st.sampled_from(["cart", "carton", "box"]), limit=limits)
    def list_the_streams(self, category: str | None, limit: int | None) -> None:
        expected = [
            (name, self.model.version(name), self.model.stream(name)[-1].position)
            for name in self.model.names()
            if category is None or name.partition("-")[0] == category
        ]
        found = self.store.streams(category=category, limit=limit)
        assert [(each.stream, each.version, each.last_position) for each in found] == expected[:limit]

    @rule(place=places)
    @precondition(lambda self: self.model.log)
    def look_one_up(self, place: int) -> None:
        entry = self.model.log[place % len(self.model.log)]
        assert entry_of(self.store.event(entry.event_id)) == entry

    # -- follow ----------------------------------------------------------------------------------------------------

    @rule(wanted=filters, after=places, page=pages)
    @precondition(lambda self: len(self.followers) < 3)
    def follow(self, wanted: Filter, after: int, page: int) -> None:
        chosen = self._wanted(wanted)
        follower = subscribe(self.store, after=self._position(after), page_size=page, **_asked(chosen))
        self.followers.append((follower, chosen))

    @rule()
    def hear_the_news(self) -> None:
        for follower, wanted in self.followers:
            begin, found = follower.position, []
            while (batch := follower.poll(0)) is not None:
                found += [entry_of(recorded) for recorded in batch.events]
            assert found == self.model.between(begin, None, wanted)
            assert follower.position >= self.model.last_position()

    @rule()
    def open_it_again(self) -> None:
        self._close()
        self.store = self.open_log(self.number)

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def the_log_is_the_list(self) -> None:
        assert [entry_of(recorded) for recorded in self.store.read_log()] == self.model.log
        assert self.store.backend.count() == len(self.model.log)
        assert self.store.head() >= self.model.last_position()  # a rolled back append leaves a gap on PostgreSQL

    # -- how -------------------------------------------------------------------------------------------------------

    def _appends(self, batch: Batch, *, own_ids: bool) -> list[StreamAppend]:
        return [
            StreamAppend(
                name,
                [
                    NewEvent(event, event_id=uuid.UUID(int=next(ids)) if own_ids else None, tags=extra)
                    if own_ids or extra
                    else event
                    for event, extra in new
                ],
                self._expectation(name, expected),
            )
            for name, expected, new in batch
        ]

    def _expectation(self, name: str, expected: Any) -> ExpectedVersion:
        return self.model.version(name) if expected == "its version" else expected

    def _position(self, place: int) -> int:
        positions = [0, *(entry.position for entry in self.model.log), self.model.last_position() + 3]
        return positions[-1 - place % len(positions)]

    def _wanted(self, chosen: Filter) -> Wanted:
        category, stream, query, *instants = chosen
        log = self.model.log
        since, until = [None if place is None or not log else log[place % len(log)].recorded_us for place in instants]
        return Wanted(category, stream, query, since, until)

    def _take_in(self, appends: list[StreamAppend], appended: Appended) -> None:
        """Holds what was stored against what was asked for, and adds it to the model."""
        stored = [entry_of(each) for each in self.store.read_log(after=self.model.last_position())]
        expected = [(each.stream, *_plain(given)) for each in appends for given in each.events]
        assert [(each.stream, each.event, each.tags) for each in stored] == expected
        instants = [each.recorded_us for each in [*self.model.log[-1:], *stored]]
        assert instants == sorted(instants)
        for entry in stored:
            assert entry.position > self.model.last_position()
            assert entry.version == self.model.version(entry.stream) + 1
            self.model.log.append(entry)
        assert appended.position == self.model.last_position()
        assert appended.versions == {each.stream: self.model.version(each.stream) for each in appends}
        assert appended.event_ids == tuple(entry.event_id for entry in stored)

    def _close(self) -> None:
        for follower, _ in self.followers:
            follower.close()
        self.followers.clear()
        self.store.close()


def _plain(given: Any) -> tuple[Any, tuple[str, ...]]:
    event, extra = (given.event, given.tags) if isinstance(given, NewEvent) else (given, ())
    return event, tuple(dict.fromkeys([*tags_of(event), *extra]))


def _asked(wanted: Wanted) -> dict[str, Any]:
    return {
        "category": wanted.category,
        "stream": wanted.stream,
        "query": wanted.query,
        "since": None if wanted.since_us is None else to_datetime(wanted.since_us),
        "until": None if wanted.until_us is None else to_datetime(wanted.until_us),
    }


def compare(open_log: Open, bounds: settings) -> None:
    run_state_machine_as_test(
        lambda: LogMachine(open_log),
        settings=settings(bounds, deadline=None, suppress_health_check=list(HealthCheck)),
    )


@pytest.fixture
def in_memory() -> Open:
    found: dict[int, EventStore] = {}

    def open_log(number: int) -> EventStore:
        first = found.setdefault(number, open_store("memory://"))
        return EventStore(first.backend, events=EVENTS)

    return open_log


@pytest.fixture
def in_files(tmp_path: Path) -> Open:
    return lambda number: open_store(f"sqlite:///{tmp_path}/{number}.db", events=EVENTS)


@pytest.fixture
def on_a_server(postgres_url: str) -> Open:
    return lambda number: open_store(postgres_url, events=EVENTS, migrate=True, prefix=f"log{number}_")


def test_the_log_in_memory_agrees_with_a_list(in_memory: Open) -> None:
    compare(in_memory, QUICK)


def test_the_log_in_sqlite_agrees_with_a_list(in_files: Open) -> None:
    compare(in_files, QUICK)


def test_the_log_in_postgresql_agrees_with_a_list(on_a_server: Open) -> None:
    compare(on_a_server, QUICK)


@pytest.mark.slow
def test_the_log_in_memory_agrees_with_a_list_for_longer(in_memory: Open) -> None:
    compare(in_memory, LONG)


@pytest.mark.slow
def test_the_log_in_sqlite_agrees_with_a_list_for_longer(in_files: Open) -> None:
    compare(in_files, LONG)


@pytest.mark.slow
def test_the_log_in_postgresql_agrees_with_a_list_for_longer(on_a_server: Open) -> None:
    compare(on_a_server, LONG)
