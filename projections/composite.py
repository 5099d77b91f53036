"""Composite projections: a fold that looks up rows of earlier ones, exactly as they were at the event in hand.

The rows that it reads are folded beside its own, in the same batch, and stored with its generation. So they always stand where it
stands: live, in a rebuild, and whatever becomes of the projections that it reads. See ADR 0022.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from eventstore import DefinitionError, EventStore, Recorded
from projections.errors import ProjectionFailed
from projections.fold import NONE, Fetch, Folded, fold, fold_history, fold_key, fold_on_trial
from projections.lookup import Positioned
from projections.moment import Moment
from projections.parking import fold_apart
from projections.partition import WHOLE, Partition
from projections.projection import Projection
from projections.row_cache import RowCache
from projections.target import Fetched
from projections.touching import touching
from projections.wanted import select_events

History = Mapping[Any, Sequence[tuple[int, Any]]]
"""By key, each position at which a row was touched, and the row after it."""


class KeepsRead(Protocol):
    """A generation that keeps what its projection reads."""

    def fetch_read(self, source: Projection[Any], keys: Sequence[Any]) -> Mapping[Any, Any]:
        """The rows of a source that exist under these keys, as of the generation's position."""


class _SourceRows:
    """The stored rows of one source."""

    def __init__(self, generation: KeepsRead, source: Projection[Any]) -> None:
        self._generation, self._source = generation, source

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        return Fetched(self._generation.fetch_read(self._source, keys))


class ReadRows:
    """The rows that a composite projection reads, as of where its own stand; of another projection, none.

    Args:
        projection: whose sources they are.
        generation: where they are stored; None where all are in memory.
        max_bytes: when they take more in memory, `full` says so.
        complete: whether nothing is stored yet.
    """

    def __init__(self, projection: Projection[Any], generation: Any, *, max_bytes: int = 0, complete: bool) -> None:
        self._made = projection, generation, max_bytes
        self.complete = complete
        self._caches = {
            each.name: RowCache(_SourceRows(generation, each), max_bytes=max_bytes, complete=complete)
            for each in projection.stages[:-1]
        }

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return any(each.full for each in self._caches.values())

    @property
    def changed(self) -> dict[str, dict[Any, Any]]:
        """What is not stored yet, by source and key."""
        return {name: each.changed for name, each in self._caches.items() if each.changed}

    def fetch(self, source: str, keys: Sequence[Any]) -> Fetched:
        """The rows under these keys."""
        return self._caches[source].fetch(keys)

    def update(self, read: Mapping[str, Mapping[Any, Any]]) -> None:
        """Takes over what was folded."""
        for name, rows in read.items():
            self._caches[name].update(rows)

    def written(self) -> None:
        """What had changed is stored now."""
        for each in self._caches.values():
            each.written()

    def anew(self) -> "ReadRows":
        """The same with nothing in memory."""
        projection, generation, max_bytes = self._made
        return ReadRows(projection, generation, max_bytes=max_bytes, complete=False)


class BatchLookup:
    """Rows as of any event of a batch: as they were before it, and what it has made of them so far."""

    def __init__(self, read: ReadRows) -> None:
        self.at = 0
        self.missing: dict[str, set[Any]] | None = None
        self._reader: Projection[Any] | None = None
        self._read = read
        self._histories: dict[str, History] = {}

    def turn_to(self, reader: Projection[Any]) -> None:
        """The stage that is folded next."""
        self._reader = reader

    def add(self, source: str, history: History) -> None:
        """What the batch has made of a source."""
        self._histories[source] = history

    def get(self, projection: Projection[Any], key: Any) -> Any:
        """The row of a source as of the event in hand."""
        _require_read(self._reader, projection)
        steps = self._histories[projection.name].get(key, ())
        place = bisect_right(steps, self.at, key=lambda step: step[0])
        if place:
            return steps[place - 1][1]
        if self.missing is not None:
            self.missing.setdefault(projection.name, set()).add(key)
            return None
        return self._read.fetch(projection.name, [key]).rows.get(key)


class LogLookup:
    """Rows as of any event, each folded from the log when it is asked for.

    Args:
        store: the log.
        projection: whose fold looks them up.
        moment: the moment that is looked at; nothing later is seen.
    """

    def __init__(self, store: EventStore, projection: Projection[Any], moment: Moment) -> None:
        self.at = 0
        self._store, self._projection, self._moment = store, projection, moment

    def get(self, projection: Projection[Any], key: Any) -> Any:
        """The row of a source as of the event in hand."""
        _require_read(self._projection, projection)
        return row_at(self._store, projection, key, replace(self._moment, up_to=min(self.at, self._moment.up_to)))


def _require_read(reader: Projection[Any] | None, projection: Projection[Any]) -> None:
    """Makes sure that the fold looks up only what it declares.

    Raises:
        DefinitionError: it does not.
    """
    if reader is not None and projection not in reader.reads:
        raise DefinitionError(
            f"projection {reader.name!r}: its fold looks up rows of {projection.name!r}, which it does not read; name it in "
            "reads=[...]"
        )


def lookup_of(store: EventStore, projection: Projection[Any], moment: Moment) -> LogLookup | None:
    """What the fold of one row looks others up with; None where it looks up none."""
    return LogLookup(store, projection, moment) if projection.reads else None


def row_at(store: EventStore, projection: Projection[Any], key: Any, moment: Moment) -> Any | None:
    """The row under a key as it was; None where there was none. Folds only the events that touch it.

    Raises:
        ProjectionFailed: the fold raised.
    """
    events = touching(store, projection, key, moment)
    return fold_key(projection, key, events, lookup=lookup_of(store, projection, moment))


Last = Callable[[Sequence[Recorded[Any]], Positioned | None], Folded]


def fold_batch(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    fetch: Fetch,
    read: ReadRows,
    partition: Partition = WHOLE,
    parked: Mapping[Any, str] = NONE,
) -> Folded:
    """Folds a batch: what the projection reads first, in the order of the stages, and then its own rows. See `fold`."""
    if not projection.reads:
        return fold(projection, events, fetch, partition, parked)

    def last(own: Sequence[Recorded[Any]], lookup: Positioned | None) -> Folded:
        return fold(projection, own, fetch, partition, parked, lookup)

    return fold_stages(projection, events, read, last)


def park_batch(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    fetch: Fetch,
    read: ReadRows,
    partition: Partition,
    parked: Mapping[Any, str],
    attempts: int,
) -> Folded:
    """The same, where a key that fails waits aside. See `fold_apart`."""

    def last(own: Sequence[Recorded[Any]], lookup: Positioned | None) -> Folded:
        return fold_apart(projection, own, fetch, partition, parked, attempts, lookup)

    return fold_stages(projection, events, read, last) if projection.reads else last(events, None)


def fold_stages(projection: Projection[Any], events: Sequence[Recorded[Any]], read: ReadRows, last: Last) -> Folded:
    """Folds what a composite reads, and then lets `last` fold its own events with a lookup."""
    lookup = BatchLookup(read)
    changed: dict[str, Mapping[Any, Any]] = {}
    for source in projection.stages[:-1]:
        mine = select_events(source, events, alone=False)
        lookup.turn_to(source)
        try:
            _fetch_ahead(source, mine, lookup, read)
            history = fold_history(source, mine, lambda keys, name=source.name: read.fetch(name, keys), lookup)  # type: ignore[misc]  # the default binds the name
        except ProjectionFailed as failure:
            return _up_to(projection, events, read, last, failure, of_source=True)
        lookup.add(source.name, history)
        changed[source.name] = {key: steps[-1][1] for key, steps in history.items()}
    own = select_events(projection, events, alone=False)
    lookup.turn_to(projection)
    _fetch_ahead(projection, own, lookup, read)
    folded = last(own, lookup)
    if folded.failure is not None:
        return _up_to(projection, events, read, last, folded.failure, of_source=False)
    return replace(folded, read=changed)


def _up_to(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    read: ReadRows,
    last: Last,
    failure: ProjectionFailed,
    *,
    of_source: bool,
) -> Folded:
    """Once more, up to the event at fault: rows, and what they read, are to stand before it."""
    before = [each for each in events if each.position < failure.position]
    folded = fold_stages(projection, before, read, last)
    return folded if folded.failure else replace(folded, failure=failure, of_source=of_source)


def _fetch_ahead(
    projection: Projection[Any], events: Sequence[Recorded[Any]], lookup: BatchLookup, read: ReadRows
) -> None:
    """Fetches what the fold will look up, all at once: a trial run tells, as far as it can without these rows."""
    if read.complete or not projection.reads:
        return
    lookup.missing = {}
    fold_on_trial(projection, events, lookup)
    missing, lookup.missing = lookup.missing, None
    for name, keys in missing.items():
        read.fetch(name, list(keys))
