"""The locks that make append conditions hold between processes.

A condition says: no event after this position matches this query. Checking it and storing the events must be one step
for everybody whose events could match, and nobody else should wait. So every append takes advisory locks, held to the
end of its transaction, before anything else:

1. An append takes a **shared** lock for every type and every tag that it writes.
2. An append with a condition also takes, for every item of the query, **exclusive** locks such that no event can match
   the item without its append sharing one of them: for an item with tags, one of the tags (every matching event has all
   of them); for an item of types alone, each of the types.
3. Only when it has all of them does it look whether something matches, with a new snapshot, and only then does it draw
   its positions.

Let A have the condition and B write an event that matches it. They cannot hold their locks at the same time. If B was
first, its transaction has ended when A looks: A sees the event, or B was rolled back. If A was first, B draws its
positions after A's end, so the event stands behind A's in the log. Either way the log reads as if the two had come one
after the other, in the order of their positions. It does not matter that A and another condition over the same two tags
choose different ones of them: each excludes the other's *written* tags, which are all of them.

There are no deadlocks: locks are taken in ascending order, the exclusive ones as such at once (never upgraded), and all
of them before the first row is written. Rows are then written in the order of their streams' names, so that waits on
the unique index over (stream, version) cannot form a circle either.

A lock is a number: tags fall into 1024 buckets and types into 256 others, so that a bulk append of ten thousand tagged
events takes a bounded number of locks. Two tags in one bucket wait for each other now and then, and nothing else.
"""

from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

from eventstore.backend import WriteRequest
from eventstore.query import AppendCondition, QueryItem

TAG_BUCKETS = 1024
TYPE_BUCKETS = 256

Name = tuple[str, str]
"""("tag", a tag) or ("type", a type)."""


@lru_cache(maxsize=65536)
def lock_key(name: Name) -> int:
    """The number of the lock; the same in every process and release."""
    kind, text = name
    code = crc32(text.encode())
    return code % TAG_BUCKETS if kind == "tag" else TAG_BUCKETS + code % TYPE_BUCKETS


@lru_cache(maxsize=1024)
def type_key(name: str) -> int:
    """The lock of a type."""
    return lock_key(("type", name))


def written_names(request: WriteRequest) -> set[Name]:
    """What the request's events can match by."""
    names: set[Name] = set()
    for write in request.writes:
        names.update(("type", row[0]) for row in write.rows)
        if write.tags is not None:
            names.update(("tag", tag) for tags in write.tags for tag in tags)
    return names


def guarded_names(condition: AppendCondition | None) -> set[Name]:
    """A set of names of which every event that could match the condition has at least one."""
    names: set[Name] = set()
    if condition is not None:
        for item in condition.query.items:
            if names.isdisjoint(("tag", tag) for tag in item.tags):
                names.update(_guard_item(item))
    return names


def _guard_item(item: QueryItem) -> list[Name]:
    """One tag, or all types. Of several tags the last: people write from the general to the particular."""
    return [("tag", item.tags[-1])] if item.tags else [("type", name) for name in item.types]


def locks(written: Iterable[Name], guarded: Iterable[Name]) -> list[tuple[int, bool]]:
    """The locks to take, in order: their numbers, and whether exclusively."""
    modes = dict.fromkeys(map(lock_key, written), False)
    modes.update(dict.fromkeys(map(lock_key, guarded), True))
    return sorted(modes.items())
