"""Looking after snapshots: taking them of all streams, proving them by replay, and throwing away what no code can use."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from eventstore.aggregate import Aggregate, category_of, policy_of
from eventstore.backend import StreamRange
from eventstore.difference import Difference, difference
from eventstore.errors import UnfitState, UnreadableEvent, Unsupported
from eventstore.loading import Folded, fold_stream
from eventstore.snapshot import Snapshot, SnapshotTable, decode_state, kind_of
from eventstore.store import EventStore

PAGE = 200


class SnapshotStatus(msgspec.Struct, frozen=True):
    """How the snapshots of one aggregate stand.

    Attributes:
        aggregate: its name.
        every: the policy's number of events.
        slower_than: the policy's seconds.
        keep: how many are kept for each stream.
        streams: how many streams have a snapshot that loads use.
        snapshots: how many of those there are.
        size: of their states, in characters.
        outdated: how many were folded by other code, and are not used.
        ahead: how many are of an event that the log does not hold, and are not used.
        taken_us: when the newest was written, in microseconds since 1970 UTC; None where there is none.
    """

    aggregate: str
    every: int | None
    slower_than: float | None
    keep: int
    streams: int
    snapshots: int
    size: int
    outdated: int
    ahead: int
    taken_us: int | None


class Built(msgspec.Struct, frozen=True):
    """What became of a stream when snapshots were built.

    Attributes:
        stream: its name.
        version: of the stream.
        written: whether a snapshot was written.
        problem: why it can have none.
    """

    stream: str
    version: int
    written: bool
    problem: str | None = None


class Verified(msgspec.Struct, frozen=True):
    """What became of proving one snapshot.

    Attributes:
        stream: the stream's name.
        version: the snapshot's.
        in_log: whether the log holds its event; if not, no load uses it, and there is nothing to compare.
        differences: from the snapshot to what replay gives.
    """

    stream: str
    version: int
    in_log: bool
    differences: list[Difference]


def table_of(store: EventStore) -> SnapshotTable:
    """Where the snapshots are kept.

    Raises:
        Unsupported: nowhere.
    """
    if store.snapshots.table is None:
        raise Unsupported(f"{store.backend.description}: this backend keeps no snapshots")
    return store.snapshots.table


def snapshot_status(store: EventStore, aggregates: Iterable[type[Aggregate[Any]]]) -> list[SnapshotStatus]:
    """How the snapshots of each aggregate with a policy stand."""
    counts = table_of(store).counts()
    found = []
    for aggregate in aggregates:
        policy = policy_of(aggregate)
        if policy is None:
            continue
        name, fingerprint = kind_of(aggregate)
        used = [each for each in counts if (each.aggregate, each.fingerprint) == (name, fingerprint)]
        other = [each for each in counts if each.aggregate == name and each.fingerprint != fingerprint]
        found.append(
            SnapshotStatus(
                name,
                policy.every,
                policy.slower_than,
                policy.keep,
                sum(each.streams for each in used),
                sum(each.snapshots - each.ahead for each in used),
                sum(each.size for each in used),
                sum(each.snapshots for each in other),
                sum(each.ahead for each in used),
                max((each.taken_us for each in used), default=None),
            )
        )
    return found


def build(store: EventStore, aggregate: type[Aggregate[Any]], *, everything: bool = False) -> Iterator[Built]:
    """Takes a snapshot of every stream of the aggregate's category for which its policy wants one.

    That is where `every` so many events have come since the last one; under a policy without `every`, where any has.

    Args:
        store: the log.
        aggregate: whose snapshots.
        everything: of every stream that has events after its last one, however few they are.

    Yields:
        Each stream, as it is done. Whoever stops early loses nothing: the next time it goes on from there.

    Raises:
        DefinitionError: the aggregate declares no snapshots.
    """
    policy = policy_of(aggregate)
    least = 1 if everything or policy is None or policy.every is None else policy.every
    for info in store.streams(category=category_of(aggregate)):
        if info.version < least:
            yield Built(info.stream, info.version, written=False)
            continue
        try:
            version, written = store.snapshots.take(aggregate, info.stream, least)
            yield Built(info.stream, version, written)
        except (UnfitState, UnreadableEvent) as error:
            yield Built(info.stream, info.version, written=False, problem=str(error))


def verify(store: EventStore, aggregate: type[Aggregate[Any]], stream: str | None = None) -> Iterator[Verified]:
    """Replays the events of every snapshot that loads use, and compares.

    Args:
        store: the log.
        aggregate: whose snapshots.
        stream: of this stream only.

    Yields:
        Each snapshot, by stream and version.

    Raises:
        UnreadableEvent: an event cannot be decoded.
    """
    folded: tuple[str, Folded] | None = None
    for kept in _all(store, aggregate, stream):
        if not kept.in_log:
            yield Verified(kept.stream, kept.version, in_log=False, differences=[])
            continue
        start = folded[1] if folded is not None and folded[0] == kept.stream else None
        part = StreamRange(up_to_version=kept.version)
        folded = kept.stream, fold_stream(store.backend, aggregate, kept.stream, part, start)
        yield Verified(
            kept.stream, kept.version, in_log=True, differences=_differences(aggregate, kept, folded[1].state)
        )


def _differences(aggregate: type[Aggregate[Any]], kept: Snapshot, replayed: Any) -> list[Difference]:
    try:
        state: Any = decode_state(aggregate, kept.state)
    except ValueError:
        state = msgspec.json.decode(kept.state)
    return [] if state == replayed else difference(state, replayed)


def _all(store: EventStore, aggregate: type[Aggregate[Any]], stream: str | None) -> Iterator[Snapshot]:
    after = ("", 0)
    while page := table_of(store).page(kind_of(aggregate), after, stream, PAGE):
        yield from page
        after = page[-1].stream, page[-1].version


def prune(store: EventStore, aggregates: Iterable[type[Aggregate[Any]]], *, everything: bool = False) -> int:
    """Deletes snapshots of these aggregates that no load uses: folded by other code, or ahead of the log.

    Args:
        store: the log.
        aggregates: whose snapshots.
        everything: also those that loads use.

    Returns:
        How many were deleted.
    """
    table, deleted = table_of(store), 0
    kinds = {aggregate.__name__: kind_of(aggregate) for aggregate in aggregates}
    for each in table.counts():
        wanted = kinds.get(each.aggregate)
        if wanted is not None:
            used = each.fingerprint == wanted.fingerprint and not everything
            deleted += table.delete(wanted._replace(fingerprint=each.fingerprint), ahead_only=used)
    return deleted
