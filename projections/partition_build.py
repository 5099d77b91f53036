"""The build of one partition of a new generation: read, fold in memory, and write now and then."""

import time
from collections.abc import Callable

import msgspec

from eventstore import DefinitionError, EventStore, StoreBusy, StoreUnavailable
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from projections.composite import ReadRows, fold_batch
from projections.errors import RebuildRefused
from projections.pace import Pace
from projections.partition import Partition
from projections.row_cache import RowCache
from projections.target import Change, Checkpoint, Generation
from projections.track import Track
from projections.wanted import wanted_to_fold

BATCH = 10_000
MAX_MEMORY = 256 * 1024 * 1024
RESERVE = 96 * 1024 * 1024
"""What Python, the application and one page of the log take beside the rows."""
WRITE_SECONDS = 5.0
_WRITE_SHARE = 10
"""Folding goes on at least so many times as long as the last write took, so that writing never takes most of the time."""


class Limits(msgspec.Struct, frozen=True):
    """What a rebuild may take.

    Attributes:
        max_memory: bytes of each process.
        max_rate: events a second of each process; None for no limit.
        write_seconds: how long folding goes on between two writes; an interrupted rebuild repeats no more than that.
    """

    max_memory: int = MAX_MEMORY
    max_rate: float | None = None
    write_seconds: float = WRITE_SECONDS

    def __post_init__(self) -> None:
        """Refuses what nothing could be done with.

        Raises:
            DefinitionError: a limit is not a positive number.
        """
        for name in ("max_memory", "max_rate"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
                raise DefinitionError(f"rebuild: {name}: expected a number above 0, got {value!r}")


class PartitionBuild:
    """One partition: the place in the log, the rows in memory, and what is written.

    Args:
        store: the log.
        track: the projection and its target.
        generation: the one that is built.
        at: the partition's checkpoint.
        partition: whose keys are folded.
        limits: on memory and speed.
    """

    def __init__(
        self,
        store: EventStore,
        track: Track,
        generation: Generation,
        at: Checkpoint,
        partition: Partition,
        limits: Limits,
    ) -> None:
        self._store, self._track, self._generation = store, track, generation
        self._partition, self._epoch, self._limits = partition, at.epoch, limits
        wanted = wanted_to_fold([track.projection], partition)
        self._reader = LogReader(store.backend, codec_of(track.projection.events_read), wanted)
        rows = max(0, limits.max_memory - RESERVE)
        share = rows // len(track.projection.stages)
        complete = at.position == 0
        self._cache = RowCache(generation, max_bytes=share, complete=complete)
        self._read = ReadRows(track.projection, generation, max_bytes=share, complete=complete)
        self._pace = Pace(limits.max_rate)
        self._written, self._unwritten_events = at.position, 0
        self._write_at = time.monotonic() + limits.write_seconds
        self._torn = False
        self.position = at.position
        self.events = 0
        self.overtaken = False

    def fold_to(self, head: int, on_batch: Callable[[], None] = lambda: None) -> None:
        """Folds everything up to a position, and writes it.

        Raises:
            ProjectionFailed: a fold raised; what comes before that event is written.
            RebuildRefused: the database refused the rows.
            GenerationDropped: the generation is gone.
        """
        while self.position < head and not self.overtaken:
            self._fold_page(head)
            on_batch()
        self.write()

    def write(self) -> None:
        """Writes what was folded, with the position that it stands for."""
        began = time.monotonic()
        if self.position > self._written:
            change = Change(
                self._cache.changed,
                self._written,
                self.position,
                self._unwritten_events,
                partition=self._partition.number,
                epoch=self._epoch,
                read=self._read.changed,
            )
            if not self._applied(change):
                self._catch_up_with_other()
                return
        self._cache.written()
        self._read.written()
        self._written, self._unwritten_events = self.position, 0
        now = time.monotonic()
        self._write_at = now + max(self._limits.write_seconds, _WRITE_SHARE * (now - began))

    def write_whole(self) -> None:
        """Writes what was folded, unless a batch is half taken over: then a resumed run folds it again."""
        if not self._torn:
            self.write()

    def forget_rows(self) -> None:
        """Gives back the memory of rows that are written, before another partition is built."""
        self._cache, self._read = self._cache.anew(), self._read.anew()

    def _fold_page(self, head: int) -> None:
        rows, reached = self._reader.page(self.position, head, self._pace.page(BATCH))
        events = self._reader.decode(rows)
        folded = fold_batch(self._track.projection, events, self._cache.fetch, self._read, self._partition)
        self._torn = True
        self._cache.update(folded.rows)
        self._read.update(folded.read)
        self._unwritten_events += folded.events
        self.events += folded.events
        self.position = reached if folded.failure is None else folded.failure.position - 1
        self._torn = False
        if folded.failure is not None:
            self.write()
            raise folded.failure
        if self._cache.full or self._read.full or time.monotonic() >= self._write_at:
            self.write()
        self._pace.went_by(len(rows))

    def _applied(self, change: Change) -> bool:
        try:
            return self._generation.apply(change)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception as error:
            name, target = self._track.projection.name, self._track.name
            raise RebuildRefused(name, target, self._generation.number, change.from_position, error) from error

    def _catch_up_with_other(self) -> None:
        """Another rebuild of the same generation is at work and was faster: go on from where it stands."""
        info = self._generation.info
        self.overtaken = info.state != "building"
        if not self.overtaken:
            at = info.checkpoints[self._partition.number]
            self._written = self.position = at.position
            self._epoch = at.epoch
        self._cache, self._read = self._cache.anew(), self._read.anew()
        self._unwritten_events = 0
