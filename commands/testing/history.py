"""The state that a history leads to, as a dispatch would load it."""

from collections.abc import Sequence
from typing import Any

from eventstore import Aggregate, Event, NewEvent, Query
from eventstore.aggregate import events_of, initial
from eventstore.backend import query_matches
from eventstore.event import event_type, tags_of


def plain(event: Event | NewEvent[Any]) -> Any:
    """The event without its wrapping."""
    return event.event if isinstance(event, NewEvent) else event


def fold_stream(aggregate: Any, history: Sequence[Event | NewEvent[Any]]) -> Any:
    """The state of a stream with these events.

    Raises:
        AssertionError: the aggregate is not folded from one of them.
    """
    state, declared = initial(aggregate), events_of(aggregate)
    for event in map(plain, history):
        if not isinstance(event, declared):
            raise AssertionError(  # noqa: TRY004 - the kit's one way to fail a test
                f"given: {aggregate.__name__} is not folded from {type(event).__name__}"
            )
        state = state.evolve(event)
    return state


def fold_query(query: Query, start: Aggregate[Any], history: Sequence[Event | NewEvent[Any]]) -> Any:
    """The state over those events of a log that the query picks and the aggregate declares."""
    state, declared = start, events_of(type(start))
    for each in history:
        event: Event = plain(each)
        own_tags = each.tags if isinstance(each, NewEvent) else ()
        picked = query_matches(query, event_type(type(event)), [*tags_of(event), *own_tags])
        if picked and isinstance(event, declared):
            state = state.evolve(event)
    return state
