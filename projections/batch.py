"""One batch of the log: read for several projections at once, folded for each of them, and written in one transaction.

What goes wrong stays with whom it concerns: an event that cannot be read stops the projections that want it, one that a fold
cannot take stops its projection, and one whose rows the database refuses is looked for by halves.
"""

from collections.abc import Sequence
from typing import Any

from eventstore import EventfoldError, EventStore, Recorded, StoreBusy, StoreUnavailable
from eventstore.codec import Codec
from eventstore.log_reader import LogReader
from projections.errors import NeedsRebuild, ProjectionFailed
from projections.fold import fold
from projections.projection import Projection
from projections.target import Change
from projections.track import Track
from projections.wanted import select_events, wanted_by
from projections.writing import Outcome, Work, write_all


class BatchRunner:
    """Moves tracks that stand at one position on by one batch.

    Args:
        store: the log.
        codec: decodes the events of all projections.
        size: how many events are read at once.
    """

    def __init__(self, store: EventStore, codec: Codec, size: int) -> None:
        self._store = store
        self._codec = codec
        self._size = size

    def run(self, tracks: Sequence[Track], start: int, up_to: int) -> bool:
        """Reads after `start`, no further than `up_to`, folds and writes.

        Returns:
            Whether anything moved.
        """
        projections = {each.projection.name: each.projection for each in tracks}
        reader = LogReader(self._store.backend, self._codec, wanted_by(projections.values()))
        rows = reader.rows(start, up_to, self._size)
        end = rows[-1][0] if len(rows) == self._size else up_to
        try:
            events = reader.decode(rows)
        except EventfoldError as error:
            return self._unreadable(tracks, start, up_to, error)
        work = [
            each
            for projection in projections.values()
            for each in self._fold(projection, tracks, events, start, end, alone=len(projections) == 1)
        ]
        return self._write(work)

    def _fold(
        self,
        projection: Projection[Any],
        tracks: Sequence[Track],
        events: Sequence[Recorded[Any]],
        start: int,
        end: int,
        *,
        alone: bool,
    ) -> list[Work]:
        mine = [each for each in tracks if each.projection is projection]
        chosen = select_events(projection, events, alone=alone)
        try:
            return _folded(mine, chosen, start, end)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception as error:  # noqa: BLE001 - reported in the projection's status
            for track in mine:
                _unfetched(track, error)
            return []

    def _unreadable(self, tracks: Sequence[Track], start: int, up_to: int, error: EventfoldError) -> bool:
        """Goes on projection by projection, so that only those fail that want the event at fault."""
        names = list(dict.fromkeys(each.projection.name for each in tracks))
        if len(names) > 1:
            alone = [[each for each in tracks if each.projection.name == name] for name in names]
            moved = [self.run(mine, start, up_to) for mine in alone]
            return any(moved)
        for track in tracks:  # why is stored, for whoever asks for the status, in this process or another
            write_all([Work(track, Change({}, start, start, 0, str(error)))])
            track.failed(error)
        return False

    def _write(self, work: list[Work]) -> bool:
        outcomes = zip(work, write_all(work), strict=True)
        moved = [self._settle(each, outcome) for each, outcome in outcomes]
        if any(moved):
            self._store.announce()
        return any(moved)

    def _settle(self, work: Work, outcome: Outcome) -> bool:
        track, change = work.track, work.change
        if isinstance(outcome, (StoreUnavailable, StoreBusy)):
            track.failed(outcome)
            return False
        if isinstance(outcome, Exception):
            return self._narrow(work, outcome)
        if not outcome:
            return look_up(track)
        if change.to_position > change.from_position or work.failure is None:
            track.succeeded(change.to_position)
        if work.failure is not None:
            track.failed(work.failure)
        return change.to_position > change.from_position

    def _narrow(self, refused: Work, error: Exception) -> bool:
        """The database refuses the rows of a batch: writes those of its first half, down to the event at fault."""
        track, start, events = refused.track, refused.change.from_position, refused.events
        if half := first_half(events):
            return self._write(_folded([track], half, start, half[-1].position))
        position = events[0].position if events else start + 1
        keys = list(refused.change.rows)
        reason = f"the database refuses the row: {type(error).__name__}: {error}"
        failure = ProjectionFailed(track.projection.name, position, keys[0] if len(keys) == 1 else keys, reason)
        change = Change({}, start, position - 1, 0, str(failure))
        return self._write([Work(track, change, (), failure)])


def first_half(events: Sequence[Recorded[Any]]) -> Sequence[Recorded[Any]]:
    """The first half, ending between two positions; nothing where all have the same one."""
    middle = len(events) // 2
    before = [each for each in events[:middle] if each.position != events[middle].position]
    return before or [each for each in events if each.position == events[0].position != events[-1].position]


def look_up(track: Track) -> bool:
    """Looks up where a track stands; False where its rows belong to another version of the code."""
    try:
        track.refresh()
    except NeedsRebuild as error:
        track.failed(error)
        return False
    return True


def _unfetched(track: Track, error: Exception) -> None:
    """The rows to fold on cannot be read. If another process has swapped and dropped them, the next step knows."""
    before = track.generation
    if look_up(track) and track.generation is before:
        track.failed(error)


def _folded(tracks: Sequence[Track], events: Sequence[Recorded[Any]], start: int, end: int) -> list[Work]:
    """Folds once for all targets of one projection; they hold the same rows, because they stand at one position."""
    folded = fold(tracks[0].projection, events, tracks[0].generation.fetch)
    to = end if folded.failure is None else folded.failure.position - 1
    error = None if folded.failure is None else str(folded.failure)
    change = Change(folded.rows, start, to, folded.events, error)
    return [Work(track, change, events, folded.failure) for track in tracks]
