"""What a unit of work has decided and not yet stored, laid over the log."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import msgspec

from eventstore import (
    ANY,
    Aggregate,
    AppendCondition,
    Appended,
    Event,
    EventStore,
    ExpectedVersion,
    Loaded,
    NewEvent,
    Query,
    StreamAppend,
    WrongExpectedVersion,
)
from eventstore.backend import query_matches
from eventstore.event import event_type, tags_of
from eventstore.expected import check_expected, verify_expected
from eventstore.loading import load_query
from eventstore.preparation import check_together
from eventstore.stream import check_stream_name


class Staging:
    """Streams as they stand in the log, with the events that are to follow.

    Attributes:
        appends: what is to be appended, in the order decided.
        beside: what companions of the log write with it.
    """

    def __init__(self, store: EventStore) -> None:
        self.appends: list[tuple[str, NewEvent[Any]]] = []
        self.beside: list[object] = []
        self._store = store
        self._versions: dict[str, int] = {}
        self._expected: dict[str, ExpectedVersion] = {}
        self._conditions: list[AppendCondition] = []

    def load(self, aggregate: type[Aggregate[Any]], stream: str) -> Loaded[Any]:
        """An aggregate, with the events that are to follow.

        Raises:
            WrongExpectedVersion: somebody else has appended to the stream since it was loaded first.
        """
        loaded = self._store.load_stream(aggregate, stream)
        first = self._versions.setdefault(stream, loaded.version)
        if first != loaded.version:
            raise WrongExpectedVersion(stream, first, loaded.version)
        self._stands_at(stream, first)
        return _followed(loaded, [new for name, new in self.appends if name == stream])

    def load_query(self, aggregate: type[Aggregate[Any]], query: Query, start: Aggregate[Any]) -> Loaded[Any]:
        """The fold of a query, with the events that are to follow and match it. Nothing else may come to match it."""
        loaded: Loaded[Any] = load_query(self._store.backend, aggregate, query, start)
        self._conditions.append(AppendCondition(query, loaded.position))
        return _followed(loaded, [new for _, new in self.appends if _matches(query, new)])

    def version(self, stream: str) -> int:
        """The version that a stream will have."""
        return self._stored_version(stream) + self._staged(stream)

    def stage(self, appends: Sequence[StreamAppend]) -> Appended:
        """Takes events, to be stored with the others.

        Raises:
            InvalidInput: a stream's name or expected version is not acceptable, or it is named twice.
            WrongExpectedVersion: the stream will be at another version.
        """
        check_together(appends)
        for each in appends:
            self._expect(check_stream_name(each.stream), check_expected(each.expected))
        for each in appends:
            self.appends += [(each.stream, _wrapped(event)) for event in each.events]
        return Appended(0, {each.stream: self.version(each.stream) for each in appends if each.events}, ())

    def _expect(self, stream: str, expected: ExpectedVersion) -> None:
        """What is expected of a stream of which nothing is known yet is left to the append; else it is known here."""
        if expected is ANY:
            return
        known, staged = self._expected.get(stream), self._staged(stream)
        if not staged and not isinstance(known, int):
            self._expected[stream] = expected
            return
        stored = known if isinstance(known, int) else self._stored_version(stream)
        verify_expected(stream, expected, stored + staged)
        self._stands_at(stream, stored)

    def _stands_at(self, stream: str, version: int) -> None:
        """The unit relies on this version, in place of what was expected of it before, which has to agree."""
        verify_expected(stream, self._expected.get(stream, ANY), version)
        self._expected[stream] = version

    def _stored_version(self, stream: str) -> int:
        if stream not in self._versions:
            self._versions[stream] = self._store.stream_version(stream)
        return self._versions[stream]

    def _staged(self, stream: str) -> int:
        return sum(1 for name, _ in self.appends if name == stream)

    def all(self) -> tuple[list[StreamAppend], AppendCondition | None]:
        """Everything in one append: the streams that are written, those that were only read, and the queries."""
        streams = list(dict.fromkeys(name for name, _ in self.appends))
        written = [
            StreamAppend(stream, [new for name, new in self.appends if name == stream], self._expected.get(stream, ANY))
            for stream in streams
        ]
        read = [StreamAppend(name, (), expected) for name, expected in self._expected.items() if name not in streams]
        return [*written, *read], self._condition()

    def _condition(self) -> AppendCondition | None:
        """All queries as one, from the earliest position on: an event between two of them may be one too many."""
        if not self._conditions:
            return None
        query = reduce(Query.__or__, [each.query for each in self._conditions])
        return AppendCondition(query, min(each.after for each in self._conditions))


def _wrapped(event: Event | NewEvent[Any]) -> NewEvent[Any]:
    return event if isinstance(event, NewEvent) else NewEvent(event)


def _matches(query: Query, new: NewEvent[Any]) -> bool:
    event: Event = new.event
    return query_matches(query, event_type(type(event)), [*tags_of(event), *new.tags])


def _followed(loaded: Loaded[Any], following: Sequence[NewEvent[Any]]) -> Loaded[Any]:
    if not following:
        return loaded
    state = loaded.state
    for new in following:
        state = state.evolve(new.event)
    return msgspec.structs.replace(loaded, state=state, version=loaded.version + len(following))
