"""The log as a list: what every backend must agree with, whatever is done to it."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from eventstore import (
    NO_STREAM,
    STREAM_EXISTS,
    Aggregate,
    AppendCondition,
    AppendConditionFailed,
    Conflict,
    Event,
    ExpectedVersion,
    Query,
    Recorded,
    StreamAppend,
    Tag,
    WrongExpectedVersion,
)
from eventstore.event import event_type


class Put(Event):
    n: int
    shelf: Annotated[str | None, Tag] = None


class Took(Event):
    n: int


class Moved(Event, event_type="shelf-moved", version=3):
    shelf: Annotated[str, Tag]


EVENTS = (Put, Took, Moved)


class Basket(Aggregate[Put | Took | Moved]):
    """Folds to the events themselves."""

    history: tuple[Any, ...] = ()

    def evolve(self, event: Put | Took | Moved) -> "Basket":
        return Basket((*self.history, event))


def tags_of(event: Event) -> list[str]:
    shelf = getattr(event, "shelf", None)
    return [] if shelf is None else [f"shelf:{shelf}"]


class Entry(NamedTuple):
    """An event in the log."""

    position: int
    stream: str
    version: int
    event: Event
    tags: tuple[str, ...]
    event_id: str
    recorded_us: int


def entry_of(recorded: Recorded[Any]) -> Entry:
    return Entry(
        recorded.position,
        recorded.stream,
        recorded.version,
        recorded.event,
        recorded.tags,
        recorded.event_id,
        recorded.recorded_us,
    )


class Wanted(NamedTuple):
    """A filter over the log, by names alone."""

    category: str | None = None
    stream: str | None = None
    query: Query | None = None
    since_us: int | None = None
    until_us: int | None = None

    def has(self, entry: Entry) -> bool:
        return (
            (self.category is None or entry.stream.split("-")[0] == self.category)
            and (self.stream is None or entry.stream == self.stream)
            and (self.query is None or matches(self.query, entry))
            and (self.since_us is None or entry.recorded_us >= self.since_us)
            and (self.until_us is None or entry.recorded_us <= self.until_us)
        )


def matches(query: Query, entry: Entry) -> bool:
    return any(
        (not item.types or event_type(type(entry.event)) in item.types) and set(item.tags) <= set(entry.tags)
        for item in query.items
    )


class Model:
    """A list of entries, and what may be done with it."""

    def __init__(self) -> None:
        self.log: list[Entry] = []

    def last_position(self) -> int:
        return self.log[-1].position if self.log else 0

    def stream(self, name: str) -> list[Entry]:
        return [entry for entry in self.log if entry.stream == name]

    def version(self, name: str) -> int:
        return len(self.stream(name))

    def names(self) -> list[str]:
        return sorted({entry.stream for entry in self.log})

    def between(self, after: int, up_to: int | None, wanted: Wanted) -> list[Entry]:
        return [
            entry
            for entry in self.log
            if after < entry.position and (up_to is None or entry.position <= up_to) and wanted.has(entry)
        ]

    def refusals(
        self, appends: Sequence[StreamAppend], condition: AppendCondition | None
    ) -> tuple[type[Conflict], ...]:
        """The errors that an append with fresh ids may be refused with; none where it must be stored."""
        found: list[type[Conflict]] = []
        if not all(self._expected(each.expected, self.version(each.stream)) for each in appends):
            found.append(WrongExpectedVersion)
        if condition is not None and self.between(condition.after, None, Wanted(query=condition.query)):
            found.append(AppendConditionFailed)
        return tuple(found)

    @staticmethod
    def _expected(expected: ExpectedVersion, actual: int) -> bool:
        if isinstance(expected, int):
            return actual == expected
        return {NO_STREAM: actual == 0, STREAM_EXISTS: actual > 0}.get(expected, True)
