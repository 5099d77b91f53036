"""The events that touch one row: found by the indexes of streams and tags, wherever the key tells where to look."""

import heapq
from collections.abc import Iterator
from typing import Any

import msgspec

from eventstore import EventStore, Query, QueryItem, Recorded
from eventstore.backend import LogFilter, Row
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from eventstore.stream import MAX_STREAM_LENGTH
from projections.fold import keys_of
from projections.key import ByTag
from projections.moment import Moment
from projections.projection import Projection
from projections.wanted import wanted_by, wanted_to_fold

PAGE = 5_000
_LAST = "\U0010ffff"


def touching(
    store: EventStore, projection: Projection[Any], key: Any, moment: Moment, *, after: int = 0
) -> Iterator[Recorded[Any]]:
    """The events that touch the row under a key, in the order of the log; holds a page of each stream in memory.

    Without `key=` they are those of the streams with that id, with `by_tag` those with that tag. Another function has to be
    asked for every event that the projection wants.

    Args:
        store: the log.
        projection: whose row.
        key: of the row.
        moment: only events that it contains.
        after: only positions above it.
    """
    wanted = _at(wanted_by([projection]), moment)
    if projection.key is None:
        yield from _of_streams(store, projection, str(key), wanted, moment, after)
        return
    if isinstance(projection.key, ByTag):
        wanted = _tagged(wanted, projection.key.tag_of(key))
    for recorded in _read(store, projection, wanted, moment, after):
        if key in keys_of(projection, recorded):
            yield recorded


def contained(
    store: EventStore, projection: Projection[Any], moment: Moment, page_size: int
) -> Iterator[list[Recorded[Any]]]:
    """All events that a projection, and what it reads, wants at a moment, page by page."""
    reader = LogReader(store.backend, codec_of(projection.events_read), _at(wanted_to_fold([projection]), moment))
    for rows in _pages(reader, moment, 0, page_size):
        yield reader.decode(rows)


def _of_streams(
    store: EventStore, projection: Projection[Any], key: str, wanted: LogFilter, moment: Moment, after: int
) -> Iterator[Recorded[Any]]:
    """Of every category there is, the stream whose id is the key."""
    categories = [wanted.category] if wanted.category is not None else _categories(store)
    names = dict.fromkeys(f"{each}-{key}" for each in categories)
    if "-" not in key:
        names[key] = None  # a stream without a category: its name is the key
    streams = [
        _read(store, projection, msgspec.structs.replace(wanted, stream=name), moment, after)
        for name in names
        if len(name) <= MAX_STREAM_LENGTH
    ]
    yield from heapq.merge(*streams, key=lambda recorded: (recorded.position, recorded.sub_index))


def _categories(store: EventStore) -> Iterator[str]:
    """The categories of the log, hopping along the index of streams."""
    after = ""
    while page := store.backend.streams_page(after, None, 1):
        category, dash, _ = page[0].stream.partition("-")
        yield category
        after = f"{category}-{_LAST}" if dash else category


def _read(
    store: EventStore, projection: Projection[Any], wanted: LogFilter, moment: Moment, after: int
) -> Iterator[Recorded[Any]]:
    reader = LogReader(store.backend, codec_of(projection.events), wanted)
    for rows in _pages(reader, moment, after, PAGE):
        yield from reader.decode(rows)


def _pages(reader: LogReader, moment: Moment, after: int, size: int) -> Iterator[list[Row]]:
    reached, until = after, moment.occurred_until_us
    while reached < moment.up_to:
        rows, reached = reader.page(reached, moment.up_to, size)
        if until is not None:
            rows = [row for row in rows if (row[3] if row[7] is None else row[7]) <= until]
        yield rows


def _at(wanted: LogFilter, moment: Moment) -> LogFilter:
    return msgspec.structs.replace(wanted, until_us=moment.recorded_until_us)


def _tagged(wanted: LogFilter, tag: str) -> LogFilter:
    items = wanted.query.items if wanted.query is not None else (QueryItem((), ()),)
    query = Query(tuple(QueryItem(item.types, (*item.tags, tag)) for item in items))
    return msgspec.structs.replace(wanted, query=query)
