"""Folds a batch of events into rows in memory; every touched row is written once afterwards."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from eventstore import Recorded
from eventstore.share import id_of
from projections.errors import ProjectionFailed
from projections.lookup import Positioned
from projections.model import Field
from projections.parked import Parked
from projections.partition import WHOLE, Partition
from projections.projection import Projection
from projections.target import Fetched

KEY_BATCH = 5_000

Fetch = Callable[[Sequence[Any]], Fetched]
Keyed = list[tuple[Any, Recorded[Any]]]
NONE: Mapping[Any, str] = {}


class Folded(msgspec.Struct, frozen=True):
    """What came of a batch.

    Attributes:
        rows: every touched key and its row; None where the row is to be deleted.
        events: how many events touched a row.
        failure: the error that stopped the fold; the rows are those before the event at its position.
        parked: events that are to wait aside.
        read: of a composite: the rows that were touched of what it reads, by projection and key.
        of_source: whether the failure is one of what it reads.
    """

    rows: dict[Any, Any]
    events: int
    failure: ProjectionFailed | None = None
    parked: Sequence[Parked] = ()
    read: Mapping[str, Mapping[Any, Any]] = {}
    of_source: bool = False


def fold(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    fetch: Fetch,
    partition: Partition = WHOLE,
    parked: Mapping[Any, str] = NONE,
    lookup: Positioned | None = None,
) -> Folded:
    """Folds events in the order given, as far as that goes.

    Args:
        projection: what to fold with.
        events: already filtered to what the projection wants.
        fetch: the stored rows under given keys.
        partition: other partitions' keys are left out.
        parked: keys whose events wait aside, each with its text: later ones are to wait as well.
        lookup: of a composite: the rows of what it reads.
    """
    try:
        keyed, touching = _keys(projection, events, partition)
        followers: list[Parked] = []
        if parked:
            keyed, touching, followers = _apart(projection, events, partition, parked, keyed)
        rows = _fold(projection, keyed, fetch, lookup)
    except ProjectionFailed as failure:  # rare, and the fold is pure: once more, up to the event at fault
        before = [each for each in events if each.position < failure.position]
        folded = fold(projection, before, fetch, partition, parked, lookup)
        return folded if folded.failure else replace(folded, failure=failure)
    return Folded(rows, touching, None, followers)


def fold_as_far(
    projection: Projection[Any],
    key: Any,
    row: Any,
    events: Iterable[Recorded[Any]],
    lookup: Positioned | None = None,
) -> tuple[Any, ProjectionFailed | None]:
    """Folds the events of one key: its row as far as that goes, and what is wrong with the event after that."""
    for position, parts in groupby(events, attrgetter("position")):
        try:
            after = _fold_rows(projection, [(key, each) for each in parts], {key: row}, lookup)[key]
        except ProjectionFailed as failure:
            return row, failure
        if after is not None and (fault := projection.check.fault(after)):
            return row, ProjectionFailed(projection.name, position, key, fault)
        row = after
    return row, None


def fold_key(
    projection: Projection[Any],
    key: Any,
    events: Iterable[Recorded[Any]],
    row: Any | None = None,
    lookup: Positioned | None = None,
) -> Any | None:
    """The row under one key after events that touch it.

    Args:
        projection: what to fold with.
        key: of the row.
        events: in the order of the log; each of them touches the row.
        row: before them.
        lookup: of a composite: the rows of what it reads.

    Raises:
        ProjectionFailed: the fold raised, or made something that is not a row of its model.
    """
    rows = {key: row}
    for part in _batches(events, KEY_BATCH):
        rows = _fold(projection, [(key, each) for each in part], in_memory(rows), lookup)
    return rows[key]


def fold_history(
    projection: Projection[Any], events: Sequence[Recorded[Any]], fetch: Fetch, lookup: Positioned
) -> dict[Any, list[tuple[int, Any]]]:
    """For each key that events touch, the positions at which they do, each with the row after it.

    Raises:
        ProjectionFailed: the fold raised, or made something that is not a row of its model.
    """
    history: dict[Any, list[tuple[int, Any]]] = {}
    keyed, _ = _keys(projection, events, WHOLE)
    stored = fetch(list(dict.fromkeys([key for key, _ in keyed]))).rows
    for key, recorded in keyed:
        steps = history.setdefault(key, [])
        before = steps[-1][1] if steps else stored.get(key)
        row = _fold_rows(projection, [(key, recorded)], {key: before}, lookup)[key]
        if row is not None and (fault := projection.check.fault(row)):
            raise ProjectionFailed(projection.name, recorded.position, key, fault)
        steps.append((recorded.position, row))
    return history


def fold_on_trial(projection: Projection[Any], events: Sequence[Recorded[Any]], lookup: Positioned) -> None:
    """Calls a fold for nothing but what it looks up; what goes wrong is of no interest yet."""
    rows: dict[Any, Any] = {}
    for recorded in events:
        with suppress(ProjectionFailed):
            for key in keys_of(projection, recorded):
                rows |= _fold_rows(projection, [(key, recorded)], rows, lookup)


def in_memory(rows: Mapping[Any, Any]) -> Fetch:
    """Gives a fold rows that are all at hand."""
    fetched = Fetched(rows)
    return lambda _keys: fetched


def keys_of(projection: Projection[Any], recorded: Recorded[Any]) -> list[Any]:
    """The keys of the rows that an event touches, each once.

    Raises:
        ProjectionFailed: `key=` raised, or gave what is no key.
    """
    if projection.key is None:
        return [id_of(recorded.stream)]
    try:
        return _distinct(projection.key(recorded), projection.model.key)
    except Exception as error:
        reason = f"key= raised {type(error).__name__}: {error}"
        raise ProjectionFailed(projection.name, recorded.position, None, reason) from error


def followers_of(keyed: Keyed, parked: Mapping[Any, str]) -> list[Parked]:
    """The events of parked keys."""
    found = dict.fromkeys([(parked[key], recorded.position) for key, recorded in keyed if key in parked])
    return [Parked(text, position) for text, position in found]


def _apart(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    partition: Partition,
    parked: Mapping[Any, str],
    keyed: Keyed,
) -> tuple[Keyed, int, list[Parked]]:
    """Without the parked keys: what is left, how many events are folded into their first key, and the followers."""
    firsts = [key for recorded in events for key in keys_of(projection, recorded)[:1]]
    touching = sum(partition.holds(key) and key not in parked for key in firsts)
    return [each for each in keyed if each[0] not in parked], touching, followers_of(keyed, parked)


def _keys(projection: Projection[Any], events: Sequence[Recorded[Any]], partition: Partition) -> tuple[Keyed, int]:
    """Each event with each key of a row that it touches, and how many events touch any.

    An event that touches rows of several partitions is counted in that of its first key.
    """
    holds = partition.holds
    if projection.key is None:
        by_stream = [(recorded.stream.partition("-")[2] or recorded.stream, recorded) for recorded in events]
        if partition.of > 1:
            by_stream = [each for each in by_stream if holds(each[0])]
        return by_stream, len(by_stream)
    if (single := _single_keys(projection, events)) is not None:
        keyed = list(zip(single, events, strict=True))
        if partition.of > 1:
            keyed = [each for each in keyed if holds(each[0])]
        return keyed, len(keyed)
    keyed = []
    touching = 0
    for recorded in events:
        keys = keys_of(projection, recorded)
        touching += bool(keys) and holds(keys[0])
        keyed.extend([(key, recorded) for key in keys if holds(key)])
    return keyed, touching


def _single_keys(projection: Projection[Any], events: Sequence[Recorded[Any]]) -> list[Any] | None:
    """The key of each event, where each has exactly one: all at once, since asking event by event costs more than the fold."""
    key_of: Any = projection.key
    try:
        found = [key_of(recorded) for recorded in events]
    except Exception:  # noqa: BLE001 - whoever asks event by event says which
        return None
    return found if set(map(type, found)) <= {projection.model.key.type} else None


def _distinct(key: Any, field: Field) -> list[Any]:
    """The keys that `key=` has named, each once: an event is folded into a row once, however often it names it."""
    if key is None:
        return []
    found = list(dict.fromkeys(key)) if isinstance(key, (list, tuple, set, frozenset)) else [key]
    for each in found:
        if not isinstance(each, field.type):
            raise TypeError(f"expected {field.type.__name__} for {field.name}, got {each!r}")
    return found


def _fold(
    projection: Projection[Any],
    keyed: Sequence[tuple[Any, Recorded[Any]]],
    fetch: Fetch,
    lookup: Positioned | None = None,
) -> dict[Any, Any]:
    fetched = fetch(list(dict.fromkeys(map(itemgetter(0), keyed))))
    stored, keyed = fetched.rows, unfolded(keyed, fetched.ahead)
    rows = _fold_rows(projection, keyed, stored, lookup)
    made = [row for row in rows.values() if row is not None]
    if not projection.check.passes(made):
        _raise_fault(projection, keyed, stored, rows, lookup)
    return rows


def unfolded(
    keyed: Sequence[tuple[Any, Recorded[Any]]], ahead: Mapping[Any, int]
) -> Sequence[tuple[Any, Recorded[Any]]]:
    """Without the events that a row which is ahead contains already."""
    first = keyed[0][1].position if keyed else 0
    late = {key: position for key, position in ahead.items() if position >= first}
    return [(key, recorded) for key, recorded in keyed if recorded.position > late.get(key, 0)] if late else keyed


def _fold_rows(
    projection: Projection[Any],
    keyed: Sequence[tuple[Any, Recorded[Any]]],
    stored: Mapping[Any, Any],
    lookup: Positioned | None = None,
) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    function, takes_key, before = projection.function, projection.takes_key, stored.get
    if projection.reads and lookup is not None:
        function = _looking_up(projection, lookup)
    cls, key_of_row = projection.model.cls, attrgetter(projection.model.key.name)
    for key, recorded in keyed:
        try:
            row = rows[key] if key in rows else before(key)
            row = rows[key] = function(row, recorded, key) if takes_key else function(row, recorded)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ProjectionFailed(projection.name, recorded.position, key, reason) from error
        if row is not None and (type(row) is not cls or key_of_row(row) != key):
            raise ProjectionFailed(projection.name, recorded.position, key, _not_its_row(projection, key, row))
    return rows


def _looking_up(projection: Projection[Any], lookup: Positioned) -> Callable[..., Any]:
    """The fold of a composite, which is given the lookup after its other parameters."""

    def folded(row: Any, recorded: Recorded[Any], *key: Any) -> Any:
        lookup.at = recorded.position
        return projection.function(row, recorded, *key, lookup)

    return folded


def _raise_fault(
    projection: Projection[Any],
    keyed: Sequence[tuple[Any, Recorded[Any]]],
    stored: Mapping[Any, Any],
    rows: dict[Any, Any],
    lookup: Positioned | None,
) -> NoReturn:
    """Folds a faulty row once more, event by event, to name the one that made it so."""
    fault_of = projection.check.fault
    faulty = next(key for key, row in rows.items() if row is not None and fault_of(row))
    row, position = stored.get(faulty), 0
    for key, recorded in keyed:
        if key == faulty:
            row, position = _fold_rows(projection, [(key, recorded)], {key: row}, lookup)[key], recorded.position
            if row is not None and (fault := fault_of(row)):
                raise ProjectionFailed(projection.name, position, key, fault)
    reason = "it made another row of the same events when it was asked again; a fold must depend on nothing else"
    raise ProjectionFailed(projection.name, position, faulty, reason)


def _not_its_row(projection: Projection[Any], key: Any, row: Any) -> str:
    model = projection.model
    expected = f"expected a {model.cls.__name__} whose {model.key.name} is {key!r}, or None, got {row!r}"
    if projection.takes_key:
        return expected
    return f"{expected}; a third parameter, as in {model.key.name}: {model.key.type.__name__}, is given the key"


def _batches(events: Iterable[Recorded[Any]], size: int) -> Iterator[list[Recorded[Any]]]:
    left = iter(events)
    while part := list(islice(left, size)):
        yield part
