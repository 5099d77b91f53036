"""The locks that make append conditions and guarded streams hold between processes.

A condition says: no event after this position matches this query. A guarded stream says: it is still at this version.
Checking it and storing the events must be one step for everybody whose events could break it, and nobody else should
wait. So every append takes advisory locks, held to the end of its transaction, before anything else:

1. An append takes a **shared** lock for every tag that it writes, and for every type together with the stream that it is
   written to.
2. An append with a condition also takes, for every item of the query, **exclusive** locks such that no event can match
   the item without its append sharing one of them: for an item with tags, one of the tags (every matching event has all
   of them); for an item of types alone, each of the types, with whatever stream.
3. An append that guards a stream takes **exclusive** locks of that stream with whatever type.
4. Only when it has all of them does it look whether something matches or has moved, with a new snapshot, and only then
   does it draw its positions.

Let A have the condition and B write an event that matches it. They cannot hold their locks at the same time. If B was
first, its transaction has ended when A looks: A sees the event, or B was rolled back. If A was first, B draws its
positions after A's end, so the event stands behind A's in the log. Either way the log reads as if the two had come one
after the other, in the order of their positions. It does not matter that A and another condition over the same two tags
choose different ones of them: each excludes the other's *written* tags, which are all of them. The same holds where A
guards a stream and B writes to it. Two that each guard what the other writes exclude each other, so the second one sees
what the first one wrote: there is no write skew.

There are no deadlocks: locks are taken in ascending order, the exclusive ones as such at once (never upgraded), and all
of them before the first row is written. Rows are then written in the order of their streams' names, so that waits on
the unique index over (stream, version) cannot form a circle either.

A lock is a number: tags fall into 1024 buckets, and types and streams into a grid of 64 by 16 others, so that a bulk append
of ten thousand tagged events takes a bounded number of locks. Two tags in one bucket wait for each other now and then,
and nothing else. The grid is there so that the plainest append, of one event without tags, takes one lock: one for the
type and one for the stream would cost each of them 4 us more. A condition over types alone takes a row of the grid, a
guarded stream a column.
"""

from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

from eventstore.backend import WriteRequest
from eventstore.query import QueryItem

TAG_BUCKETS = 1024
TYPE_BUCKETS = 64
STREAM_BUCKETS = 16

Name = tuple[str, str]
"""("tag", a tag), ("type", a type) or ("stream", a stream)."""


@lru_cache(maxsize=65536)
def tag_key(tag: str) -> int:
    """The number of a tag's lock; the same in every process and release."""
    return crc32(tag.encode()) % TAG_BUCKETS


@lru_cache(maxsize=1024)
def _type_row(name: str) -> int:
    return TAG_BUCKETS + crc32(name.encode()) % TYPE_BUCKETS * STREAM_BUCKETS


def _stream_column(name: str) -> int:
    return crc32(name.encode()) % STREAM_BUCKETS


def write_key(event_type: str, stream: str) -> int:
    """The number of the lock of a type that is written to a stream."""
    return _type_row(event_type) + _stream_column(stream)


def guard_keys(name: Name) -> Iterable[int]:
    """The numbers of the locks that nobody can write this name without."""
    kind, text = name
    if kind == "tag":
        return [tag_key(text)]
    if kind == "type":
        return range(_type_row(text), _type_row(text) + STREAM_BUCKETS)
    first = TAG_BUCKETS + _stream_column(text)
    return range(first, TAG_BUCKETS + TYPE_BUCKETS * STREAM_BUCKETS, STREAM_BUCKETS)


def written_names(request: WriteRequest) -> set[Name]:
    """What the request's events can match by, and the streams that it moves."""
    names: set[Name] = set()
    for write in request.writes:
        if write.rows:
            names.add(("stream", write.stream))
        names.update(("type", row[0]) for row in write.rows)
        if write.tags is not None:
            names.update(("tag", tag) for tags in write.tags for tag in tags)
    return names


def guarded_names(request: WriteRequest) -> set[Name]:
    """A set of names of which every append that could break the condition, or move a guarded stream, writes one."""
    names: set[Name] = set()
    if request.has_guards:
        names.update(("stream", write.stream) for write in request.writes if not write.rows)
    if request.condition is not None:
        for item in request.condition.query.items:
            if names.isdisjoint(("tag", tag) for tag in item.tags):
                names.update(_guard_item(item))
    return names


def _guard_item(item: QueryItem) -> list[Name]:
    """One tag, or all types. Of several tags the last: people write from the general to the particular."""
    return [("tag", item.tags[-1])] if item.tags else [("type", name) for name in item.types]


def locks(written: Iterable[int], guarded: Iterable[Name]) -> list[tuple[int, bool]]:
    """The locks to take, in order: their numbers, and whether exclusively."""
    modes = dict.fromkeys(written, False)
    for name in guarded:
        modes.update(dict.fromkeys(guard_keys(name), True))
    return sorted(modes.items())
