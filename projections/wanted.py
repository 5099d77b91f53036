"""Which events projections want, of the log and of a batch that was read for several of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from eventstore import Query, QueryItem, Recorded
from eventstore.backend import LogFilter
from eventstore.event import event_type
from projections.partition import WHOLE, Partition
from projections.projection import Projection


def wanted_by(projections: Iterable[Projection[Any]], partition: Partition = WHOLE) -> LogFilter:
    """The filter that lets through what any of the projections wants.

    Where the key of all of them is the stream's id, the other partitions' events are left out before they are decoded.
    """
    chosen = list(projections)
    divided = partition.of > 1 and all(each.key is None for each in chosen)
    items = tuple(QueryItem(tuple(event_type(cls) for cls in each.events), each.tags) for each in chosen)
    category = chosen[0].category if len({each.category for each in chosen}) == 1 else None
    share = (partition.number, partition.of) if divided else None
    return LogFilter(category=category, query=Query(items), share=share)


def wanted_to_fold(projections: Iterable[Projection[Any]], partition: Partition = WHOLE) -> LogFilter:
    """The same, with what they read."""
    return wanted_by(dict.fromkeys([stage for each in projections for stage in each.stages]), partition)


def select_events(
    projection: Projection[Any], events: Sequence[Recorded[Any]], *, alone: bool
) -> Sequence[Recorded[Any]]:
    """Those of a batch that one projection wants; all of them where it was read for it alone, or for others that want the same."""
    if alone:
        return events
    names = {event_type(cls) for cls in projection.events}
    found = [each for each in events if each.type in names]
    if projection.category is not None:
        found = [each for each in found if each.category == projection.category]
    if projection.tags:
        found = [each for each in found if set(projection.tags) <= set(each.tags)]
    return found
