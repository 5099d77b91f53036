"""Rebuilds a projection: a new generation beside the live one, swapped in when it has caught up.

Interrupted at any instant, by Ctrl-C or kill -9, it goes on from its last write when it is started again.
"""

import logging
import time
from collections.abc import Callable

import msgspec

from eventstore import EventStore, StoreBusy, StoreUnavailable
from eventstore.codec import codec_of
from eventstore.log_cursor import LogCursor
from projections.errors import GenerationDropped, RebuildRefused
from projections.fold import fold
from projections.row_cache import RowCache
from projections.target import Change, Generation, building_of, live_of
from projections.track import Track
from projections.wanted import wanted_by

logger = logging.getLogger(__name__)

BATCH = 10_000
MAX_ROWS = 100_000
WRITE_SECONDS = 5.0


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


def rebuild(
    store: EventStore,
    track: Track,
    *,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    max_rows: int = MAX_ROWS,
    write_seconds: float = WRITE_SECONDS,
) -> int:
    """Folds the whole log into a new generation and makes it the live one.

    Args:
        store: the log.
        track: the projection and its target.
        on_progress: called after every batch.
        max_rows: how many rows are held in memory before they are written.
        write_seconds: how long folding goes on between two writes; an interrupted rebuild repeats no more than that.

    Returns:
        How many events were folded in this run.

    Raises:
        ProjectionFailed: a fold raised; the live generation is untouched, and the new one stands before that event.
        RebuildRefused: the database refused the rows; the live generation is untouched.
        NeedsRebuild: another process has meanwhile rebuilt the projection by another version of its code.
    """
    generation = _begun_or_new(track)
    run = _Rebuild(store, track, generation, max_rows=max_rows, write_seconds=write_seconds)
    try:
        while True:
            while not run.overtaken and run.fold_batch():
                on_progress(Progress(run.position, max(store.head(), run.position), run.events))
            run.write()
            if run.overtaken or track.target.swap(generation, partitions=track.partitions):
                break
    except KeyboardInterrupt:
        run.write_whole()
        raise
    except GenerationDropped:
        logger.info("projection %s: another process has rebuilt %s meanwhile", track.projection.name, track.name)
    track.refresh()
    drop_older(track)
    store.announce()
    return run.events


def _begun_or_new(track: Track) -> Generation:
    """The generation that an interrupted rebuild has left, or a new one."""
    fingerprint = track.projection.fingerprint
    begun = building_of(track.target.generations(), fingerprint)
    return track.target.create(fingerprint, live=False) if begun is None else track.target.generation(begun.number)


class _Rebuild:
    """The state of one run: the cursor, the rows in memory, and what is written."""

    def __init__(
        self, store: EventStore, track: Track, generation: Generation, *, max_rows: int, write_seconds: float
    ) -> None:
        self._track = track
        self._projection = track.projection
        self._generation = generation
        self._cache = RowCache(generation, max_rows=max_rows)
        self._at = generation.info.checkpoints[0]
        self._written = self._at.position
        self._unwritten_events = 0
        self._write_seconds = write_seconds
        self._write_at = time.monotonic() + write_seconds
        codec = codec_of(self._projection.events)
        wanted = wanted_by([self._projection])
        self._cursor = LogCursor(store.backend, codec, wanted, after=self._written, page_size=BATCH)
        self._torn = False
        self.position = self._written
        self.events = 0
        self.overtaken = False

    def fold_batch(self) -> bool:
        """Folds the next page; False where there is none."""
        batch = self._cursor.next_batch()
        if batch is None:
            return False
        folded = fold(self._projection, batch.events, self._cache.fetch)
        self._torn = True
        self._cache.update(folded.rows)
        self._unwritten_events += folded.events
        self.events += folded.events
        if folded.failure is not None:
            self.position = folded.failure.position - 1
            self._torn = False
            self.write()
            raise folded.failure
        self.position = batch.position
        self._torn = False
        if self._cache.full or time.monotonic() >= self._write_at:
            self.write()
        return True

    def write(self) -> None:
        """Writes what was folded, with the position that it stands for."""
        if self.position > self._written:
            change = Change(
                self._cache.changed, self._written, self.position, self._unwritten_events, epoch=self._at.epoch
            )
            if not self._applied(change):
                self._catch_up_with_other()
                return
        self._cache.written()
        self._written, self._unwritten_events = self.position, 0
        self._write_at = time.monotonic() + self._write_seconds

    def _applied(self, change: Change) -> bool:
        try:
            return self._generation.apply(change)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception as error:
            name, target = self._projection.name, self._track.name
            raise RebuildRefused(name, target, self._generation.number, change.from_position, error) from error

    def write_whole(self) -> None:
        """Writes what was folded, unless a batch is half taken over: then a resumed run folds it again."""
        if not self._torn:
            self.write()

    def _catch_up_with_other(self) -> None:
        """Another rebuild of the same generation is at work and was faster: go on from where it stands."""
        info = self._generation.info
        self.overtaken = info.state != "building"
        self._written = self.position = self._cursor.position = info.position
        self._cache = self._cache.anew()
        self._unwritten_events = 0


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
