"""The history of one aggregate: each event with what it changed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from eventstore.absence import stream_not_found
from eventstore.aggregate import Aggregate, category_of, codec_for, initial
from eventstore.backend import Backend, StreamRange
from eventstore.difference import Difference, difference
from eventstore.reading import PAGE, read_stream
from eventstore.recorded import Recorded
from eventstore.stream import stream_name

A = TypeVar("A", bound=Aggregate[Any])

ACTOR = "actor"
"""The key of the metadata that says who did it."""


class Step(msgspec.Struct, Generic[A], frozen=True):
    """One event of a history.

    Attributes:
        recorded: the event, with when, and by which correlation and causation.
        changes: the fields that it changed, nested ones too; empty where it changed none.
        state: the aggregate after it.
    """

    recorded: Recorded[Any]
    changes: tuple[Difference, ...]
    state: A

    @property
    def version(self) -> int:
        """The event's version in its stream."""
        return self.recorded.version

    @property
    def occurred_at(self) -> datetime:
        """When the event happened."""
        return self.recorded.occurred_at

    @property
    def actor(self) -> str | None:
        """Who did it, where the metadata has an `actor`."""
        return actor_of(self.recorded)


def history(backend: Backend, aggregate: type[A], stream_id: str, part: StreamRange | None = None) -> Iterator[Step[A]]:
    """Folds a stream step by step, one page in memory at a time.

    Args:
        backend: the database.
        aggregate: the aggregate class.
        stream_id: what follows the category in the stream's name.
        part: the part of the stream that existed at a `moment`; by default all of it.

    Returns:
        A step for each event that is folded, oldest first; the last one's state is what `load` returns.

    Raises:
        StreamNotFound: the stream has no events, or had none at that moment.
        UnreadableEvent: the stream holds an event that the aggregate does not declare or cannot decode.
    """
    state, found, part = initial(aggregate), False, part or StreamRange()
    stream = stream_name(category_of(aggregate), stream_id)
    for recorded in read_stream(backend, codec_for(aggregate), stream, part, None, PAGE):
        found, before, state = True, state, state.evolve(recorded.event)
        yield Step(recorded, tuple(difference(before, state)), state)
    if not found and not backend.stream_page(stream, part, 1):  # there may be events that are retired, or dropped
        raise stream_not_found(backend, stream)


def actor_of(recorded: Recorded[Any]) -> str | None:
    """Who did it, where the event's metadata has an `actor`."""
    if recorded.metadata_json is None:
        return None
    actor = recorded.metadata.get(ACTOR)
    return actor if actor is None or isinstance(actor, str) else msgspec.json.encode(actor).decode()
