"""What a rebuild would take: how many events there are, and how fast the first of them are folded."""

import time
from typing import Any

import msgspec

from eventstore import EventStore
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from projections.composite import ReadRows, fold_batch
from projections.fold import in_memory
from projections.track import Track
from projections.wanted import wanted_to_fold

SAMPLE = 20_000
PAGE = 5_000


class Estimate(msgspec.Struct, frozen=True):
    """What a rebuild of one projection in one target would take.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        events: how many there are to fold.
        rate: how many of the first ones were folded a second, times the number of processes.
        seconds: how long all of them would take at that rate.
    """

    projection: str
    target: str
    events: int
    rate: int
    seconds: float


def estimate(store: EventStore, track: Track, processes: int = 1, max_rate: float | None = None) -> Estimate:
    """Reads the log, folds the first events of it in memory, and writes nothing.

    Args:
        store: the log.
        track: the projection and its target.
        processes: among how many the work would be divided.
        max_rate: events a second that would be allowed.

    Raises:
        ProjectionFailed: a fold raised.
    """
    reader = LogReader(store.backend, codec_of(track.projection.events_read), wanted_to_fold([track.projection]))
    head, position, events, rate = store.head(), 0, 0, 0.0
    started = time.monotonic()
    rows: dict[Any, Any] = {}
    read = ReadRows(track.projection, None, complete=True)
    while position < head:
        page, position = reader.page(position, head, PAGE)
        events += len(page)
        if events <= SAMPLE or not rate:
            folded = fold_batch(track.projection, reader.decode(page), in_memory(rows), read)
            if folded.failure is not None:
                raise folded.failure
            rows |= folded.rows
            read.update(folded.read)
            rate = events / max(time.monotonic() - started, 1e-6)
    chosen = min(rate * processes, max_rate or rate * processes)
    seconds = round(events / chosen, 1) if chosen else 0.0
    return Estimate(track.projection.name, track.name, events, int(chosen), seconds)
