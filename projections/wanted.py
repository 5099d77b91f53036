"""Which events projections want, of the log and of a batch that was read for several of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from eventstore import Query, QueryItem, Recorded
from eventstore.backend import LogFilter
from eventstore.event import event_type
from projections.projection import Projection


def wanted_by(projections: Iterable[Projection[Any]]) -> LogFilter:
    """The filter that lets through what any of the projections wants."""
    chosen = list(projections)
    items = tuple(QueryItem(tuple(event_type(cls) for cls in each.events), each.tags) for each in chosen)
    category = chosen[0].category if len({each.category for each in chosen}) == 1 else None
    return LogFilter(category=category, query=Query(items))


def select_events(
    projection: Projection[Any], events: Sequence[Recorded[Any]], *, alone: bool
) -> Sequence[Recorded[Any]]:
    """Those of a batch that one projection wants; all of them where the batch was read for it alone."""
    if alone:
        return events
    names = {event_type(cls) for cls in projection.events}
    found = [each for each in events if each.type in names]
    if projection.category is not None:
        found = [each for each in found if each.category == projection.category]
    if projection.tags:
        found = [each for each in found if set(projection.tags) <= set(each.tags)]
    return found
