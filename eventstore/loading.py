"""Loads aggregates: the fold over a stream, now or as it was."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from eventstore.aggregate import Aggregate, category_of, codec_for, events_of, initial
from eventstore.backend import Backend, LogFilter, StreamRange, label_of
from eventstore.bounds import check_instant, check_number
from eventstore.codec import codec_of
from eventstore.encoding import encode, form_of
from eventstore.errors import UnfitState
from eventstore.event import Event
from eventstore.log_reader import LogReader
from eventstore.query import Query
from eventstore.reading import PAGE
from eventstore.recorded import UnknownEvent
from eventstore.stream import stream_name

A = TypeVar("A", bound=Aggregate[Any])

LOAD_PAGE = 5_000


class Loaded(msgspec.Struct, Generic[A], frozen=True, repr_omit_defaults=True):
    """An aggregate and where it stands.

    Attributes:
        state: the folded state; the initial one where the stream has no events.
        stream: the stream's name.
        version: how many events were folded.
        position: of the last event folded; 0 where there is none.
        snapshot: the version of the snapshot that the fold began with, or of a newer one that this process has had written; 0
            where there is none.
        slow: whether it took longer than the aggregate's snapshot policy allows.
    """

    state: A
    stream: str
    version: int
    position: int
    snapshot: int = 0
    slow: bool = False


class Folded(NamedTuple):
    """How far a fold has come: the state, and the last event in it; version 0 before the first one."""

    state: Any
    version: int
    position: int
    event_id: str


def moment(
    *,
    at_version: int | None = None,
    position: int | None = None,
    at: datetime | None = None,
    occurred: datetime | None = None,
) -> StreamRange:
    """The part of a stream that existed at a moment. Several bounds hold together.

    Args:
        at_version: up to this version.
        position: up to this position of the log.
        at: recorded at or before this instant: what the log knew then.
        occurred: occurred at or before this instant: what had happened by then, as known now.

    Raises:
        InvalidInput: a bound is not acceptable.
    """
    for field, number in (("at_version", at_version), ("position", position)):
        if number is not None:
            check_number(field, number)
    return StreamRange(
        up_to_version=at_version,
        up_to_position=position,
        recorded_until_us=at if at is None else check_instant("at", at),
        occurred_until_us=occurred if occurred is None else check_instant("occurred", occurred),
    )


def load(backend: Backend, aggregate: type[A], stream_id: str, part: StreamRange | None = None) -> Loaded[A]:
    """Folds the stream `category-stream_id`. See `load_stream`."""
    return load_stream(backend, aggregate, stream_name(category_of(aggregate), stream_id), part)


def load_stream(backend: Backend, aggregate: type[A], stream: str, part: StreamRange | None = None) -> Loaded[A]:
    """Folds every event of a stream, or of the part of it that existed at a `moment`.

    `EventStore.load_stream` gives the same, and begins with a snapshot where there is one.

    Raises:
        UnreadableEvent: the stream holds an event that the aggregate does not declare or cannot decode.
    """
    folded = fold_stream(backend, aggregate, stream, part if part is not None else StreamRange())
    return Loaded(folded.state, stream, folded.version, folded.position)


def fold_stream(
    backend: Backend, aggregate: type[Aggregate[Any]], stream: str, part: StreamRange, start: Folded | None = None
) -> Folded:
    """Folds a part of a stream, from its beginning or from where an earlier fold of the same part had come."""
    start = start if start is not None else Folded(initial(aggregate), 0, 0, "")
    whole = part.up_to_position is part.recorded_until_us is part.occurred_until_us is None
    folded = _fold_payloads(backend, aggregate, stream, part, start) if whole else None
    return folded if folded is not None else _fold_rows(backend, aggregate, stream, part, start)


def _fold_payloads(
    backend: Backend, aggregate: type[Aggregate[Any]], stream: str, part: StreamRange, start: Folded
) -> Folded | None:
    """The fold over versions without gaps, which can be counted; None where an event needs a closer look."""
    codec = codec_for(aggregate)
    state, version = start.state, start.version
    while True:
        payloads = backend.stream_payloads(stream, msgspec.structs.replace(part, after_version=version), LOAD_PAGE)
        events = codec.decode_payloads(payloads)
        if events is None:
            return None
        for event in events:
            state = state.evolve(event)
        version += len(payloads)
        if len(payloads) < LOAD_PAGE:
            if version == start.version:
                return start
            last = backend.stream_page(stream, StreamRange(version - 1, version), 1)[0]
            return Folded(state, version, last[0], last[6])


def _fold_rows(
    backend: Backend, aggregate: type[Aggregate[Any]], stream: str, part: StreamRange, start: Folded
) -> Folded:
    codec = codec_for(aggregate)
    state, version, position, event_id = start
    after = version
    while True:
        rows = backend.stream_page(stream, msgspec.structs.replace(part, after_version=after), LOAD_PAGE)
        for event in codec.decode_events(rows):
            state = state.evolve(event)
        if rows:
            version, position, after, event_id = version + len(rows), rows[-1][0], rows[-1][2], rows[-1][6]
        if len(rows) < LOAD_PAGE:
            return Folded(state, version, position, event_id)


def fold_appended(aggregate: type[A], state: A, events: Sequence[Event]) -> A:
    """The state after events that were appended, folded as a load reads them: what is equal may still fold otherwise.

    Raises:
        UnfitState: the aggregate cannot read them.
    """
    forms = [form_of(type(event)) for event in events]
    payloads = [
        (label_of(form.name, form.schema), encode(event, form, sys.maxsize))
        for form, event in zip(forms, events, strict=True)
    ]
    found = codec_for(aggregate).decode_payloads(payloads)
    if found is None:
        raise UnfitState(f"{aggregate.__name__} cannot read all of what was appended")
    for event in found:
        state = state.evolve(event)
    return state


def load_query(backend: Backend, aggregate: type[A], query: Query, start: A | None = None) -> Loaded[A]:
    """Folds the events that match a query, whatever their stream; those the aggregate does not declare are passed over.

    Args:
        backend: the log.
        aggregate: its class.
        query: which events.
        start: the state before the first of them; by default the aggregate's initial one.

    Returns:
        The state, with the log's horizon as its position: an append condition after it sees everything newer.
    """
    codec = codec_of(events_of(aggregate))
    known = {stored for name in codec.types for stored in codec.lineage.stored_names(name)}
    reader = LogReader(backend, codec, LogFilter(query=query))
    horizon, after = backend.horizon(), 0
    state, version = initial(aggregate) if start is None else start, 0
    while True:
        rows = reader.rows(after, horizon, PAGE)
        for event in reader.decode_events([row for row in rows if row[4] in known]):
            if type(event) is not UnknownEvent:
                state, version = state.evolve(event), version + 1
        if len(rows) < PAGE:
            return Loaded(state, "", version, horizon)
        after = rows[-1][0]
