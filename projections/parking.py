"""Parking: when an event has failed often enough, its key waits aside from there on, and all other keys are folded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventstore import Recorded
from projections.errors import ProjectionFailed
from projections.fold import Fetch, Folded, fold_as_far, followers_of, keys_of, unfolded
from projections.lookup import Positioned
from projections.parked import NO_KEY, Parked, key_text
from projections.partition import Partition
from projections.projection import Projection


def fold_apart(
    projection: Projection[Any],
    events: Sequence[Recorded[Any]],
    fetch: Fetch,
    partition: Partition,
    parked: Mapping[Any, str],
    attempts: int,
    lookup: Positioned | None = None,
) -> Folded:
    """Folds each key by itself; where one fails, it waits aside from the event at fault on.

    An event whose key cannot be told waits alone, in partition 0.

    Args:
        projection: what to fold with.
        events: already filtered to what the projection wants.
        fetch: the stored rows under given keys.
        partition: other partitions' keys are left out.
        parked: keys whose events wait aside already, each with its text.
        attempts: how often this was tried, this time included.
        lookup: of a composite: the rows of what it reads.
    """
    keyed, first_keys, aside = _told(projection, events, partition, attempts)
    aside += followers_of(keyed, parked)
    keyed = [each for each in keyed if each[0] not in parked]
    fetched = fetch(list(dict.fromkeys([key for key, _ in keyed])))
    of_key: dict[Any, list[Recorded[Any]]] = {}
    for key, recorded in unfolded(keyed, fetched.ahead):
        of_key.setdefault(key, []).append(recorded)
    rows, stops = dict[Any, Any](), dict.fromkeys(parked, 0)
    for key, mine in of_key.items():
        row, failure = fold_as_far(projection, key, fetched.rows.get(key), mine, lookup)
        if failure is None or mine[0].position < failure.position:
            rows[key] = row
        if failure is not None:
            stops[key] = failure.position
            aside += park(key, failure, mine, attempts)
    folded = sum(key not in stops or position < stops[key] for key, position in first_keys)
    return Folded(rows, folded, None, aside)


def park(key: Any, failure: ProjectionFailed, events: Iterable[Recorded[Any]], attempts: int) -> list[Parked]:
    """The event at fault, and those of the key's events that follow it."""
    text = key_text(key)
    late = dict.fromkeys([each.position for each in events if each.position > failure.position])
    return [Parked(text, failure.position, failure.reason, attempts), *[Parked(text, each) for each in late]]


def _told(
    projection: Projection[Any], events: Sequence[Recorded[Any]], partition: Partition, attempts: int
) -> tuple[list[tuple[Any, Recorded[Any]]], list[tuple[Any, int]], list[Parked]]:
    """Each event with each of its keys; the first key of each, with the position; and the events that have none."""
    keyed, first_keys, keyless = list[tuple[Any, Recorded[Any]]](), list[tuple[Any, int]](), dict[int, Parked]()
    for recorded in events:
        try:
            keys = keys_of(projection, recorded)
        except ProjectionFailed as failure:
            keyless[recorded.position] = Parked(NO_KEY, recorded.position, failure.reason, attempts)
            continue
        first_keys += [(key, recorded.position) for key in keys[:1] if partition.holds(key)]
        keyed += [(key, recorded) for key in keys if partition.holds(key)]
    return keyed, first_keys, [*keyless.values()] if partition.number == 0 else []
