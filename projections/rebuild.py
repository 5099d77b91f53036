"""Rebuilds a projection: a new generation beside the live one, swapped in when it has caught up.

Interrupted at any instant, by Ctrl-C or kill -9, it goes on from its last write when it is started again.

Several processes divide the work by partitions: `begin` says what there is to build, each process calls `build` for its
partitions, and `finish` brings all of them to one position and swaps.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import msgspec

from eventstore import EventStore
from projections.errors import GenerationDropped
from projections.inline import swap_inline
from projections.partition import Partition, check_partitions, require_divisible
from projections.partition_build import MAX_MEMORY, WRITE_SECONDS, Limits, PartitionBuild
from projections.target import Generation, building_of, live_of
from projections.track import Track

logger = logging.getLogger(__name__)


class Progress(msgspec.Struct, frozen=True):
    """How far a rebuild is.

    Attributes:
        position: everything up to here is folded.
        head: the log's end as last seen.
        events: folded since this run began.
    """

    position: int
    head: int
    events: int


OnProgress = Callable[[Progress], None]


def _silent(_progress: Progress) -> None:
    """Tells nobody."""


def rebuild(
    store: EventStore,
    track: Track,
    *,
    on_progress: OnProgress = _silent,
    max_memory: int = MAX_MEMORY,
    max_rate: float | None = None,
    write_seconds: float = WRITE_SECONDS,
) -> int:
    """Folds the whole log into a new generation and makes it the live one.

    Args:
        store: the log.
        track: the projection and its target.
        on_progress: called after every batch.
        max_memory: bytes that the process may take, as far as rows that wait to be written go.
        max_rate: events a second, so as to leave the database to others; as fast as it goes by default.
        write_seconds: how long folding goes on between two writes; an interrupted rebuild repeats no more than that.

    Returns:
        How many events were folded in this run.

    Raises:
        ProjectionFailed: a fold raised; the live generation is untouched, and the new one stands before that event.
        RebuildRefused: the database refused the rows; the live generation is untouched.
        NeedsRebuild: another process has meanwhile rebuilt the projection by another version of its code.
        DefinitionError: a limit is not a positive number.
    """
    limits = Limits(max_memory, max_rate, write_seconds)
    generation = begin(track)
    return _run(store, track, _builds(store, track, generation, limits), generation, on_progress)


def begin(track: Track, partitions: int = 1) -> Generation:
    """The generation that an interrupted rebuild has left, with as many partitions as it has, or a new one."""
    fingerprint = track.projection.fingerprint
    begun = building_of(track.target.generations(), fingerprint)
    if begun is not None:
        return track.target.generation(begun.number)
    where = f"projection {track.projection.name!r}"
    if check_partitions(where, partitions) > 1 and track.declared is not None:
        require_divisible(where, track.declared)
    return track.target.create(fingerprint, live=False, partitions=partitions)


def build(
    store: EventStore,
    track: Track,
    generation: Generation,
    partitions: Sequence[int],
    limits: Limits,
    on_progress: OnProgress = _silent,
) -> int:
    """Builds some of the partitions, one after the other, up to the log's end, and writes them.

    Returns:
        How many events were folded.
    """
    chosen = _builds(store, track, generation, limits, partitions)
    _fold(store, chosen, on_progress)
    return sum(each.events for each in chosen)


def finish(store: EventStore, track: Track, generation: Generation, limits: Limits) -> int:
    """Brings all partitions to one position and swaps the generation in.

    Returns:
        How many events had to be folded for that.
    """
    return _run(store, track, _builds(store, track, generation, limits), generation, _silent)


def _builds(
    store: EventStore,
    track: Track,
    generation: Generation,
    limits: Limits,
    partitions: Iterable[int] | None = None,
) -> list[PartitionBuild]:
    checkpoints = generation.info.checkpoints
    of = len(checkpoints)
    chosen = range(of) if partitions is None else partitions
    return [
        PartitionBuild(store, track, generation, checkpoints[number], Partition(number, of), limits)
        for number in chosen
    ]


def _run(
    store: EventStore,
    track: Track,
    builds: Sequence[PartitionBuild],
    generation: Generation,
    on_progress: OnProgress,
) -> int:
    try:
        while True:
            _fold(store, builds, on_progress)
            if any(each.overtaken for each in builds) or _swap(store, track, generation):
                break
    except GenerationDropped:
        logger.info("projection %s: another process has rebuilt %s meanwhile", track.projection.name, track.name)
    track.refresh()
    drop_older(track)
    store.announce()
    return sum(each.events for each in builds)


def _swap(store: EventStore, track: Track, generation: Generation) -> bool:
    if track.inline:
        return swap_inline(store, track, generation.number)
    return track.target.swap(generation, partitions=track.partitions)


def _fold(store: EventStore, builds: Sequence[PartitionBuild], on_progress: OnProgress) -> None:
    """Brings all of them to one position: the end of the log, or where the first of them stands beyond it."""
    head = max([store.head(), *[each.position for each in builds]])

    def report() -> None:
        events = sum(each.events for each in builds)
        on_progress(Progress(min(each.position for each in builds), head, events))

    try:
        for each in builds:
            each.fold_to(head, report)
            if len(builds) > 1:
                each.forget_rows()
    except KeyboardInterrupt:
        for each in builds:
            each.write_whole()
        raise


def drop_older(track: Track) -> None:
    """Keeps one retired generation, which readers may still be reading; older ones go, and what was never finished."""
    generations = track.target.generations()
    live = next(each.number for each in generations if each.state == "live")
    retired = [each.number for each in generations if each.state == "retired"]
    unfinished = [each.number for each in generations if each.state == "building" and each.number < live]
    for number in [*retired[:-1], *unfinished]:
        track.target.drop(number)


def outdated(track: Track) -> bool:
    """Whether the live rows were made by another version of the projection or its model, and may be made anew."""
    live = live_of(track.target.generations())
    return live is not None and not live.paused and live.fingerprint != track.projection.fingerprint
