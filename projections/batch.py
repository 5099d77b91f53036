"""One batch of the log: read for several projections at once, folded for each of them, and written in one transaction.

What goes wrong stays with whom it concerns: an event that cannot be read stops the projections that want it, one that a fold
cannot take stops its projection, and one whose rows the database refuses is looked for by halves.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from eventstore import DefinitionError, EventfoldError, EventStore, Recorded, StoreBusy, StoreError, StoreUnavailable
from eventstore.codec import Codec
from eventstore.log_reader import LogReader
from projections.composite import ReadRows, fold_batch, park_batch
from projections.errors import NeedsRebuild, ProjectionFailed, ProjectionPaused, RowsRefused, TargetUnavailable
from projections.fold import Fetch, Folded
from projections.lane import Lane
from projections.partition import WHOLE
from projections.refusal import before, is_of_rows, refused_keys, standing, without
from projections.target import Change, Fetched
from projections.track import Track
from projections.wanted import select_events, wanted_to_fold
from projections.writing import Outcome, Work, write_all


class BatchRunner:
    """Moves lanes that stand at one position on by one batch.

    Args:
        store: the log.
        codec: decodes the events of all projections.
        size: how many events are read at once.
        offer: told of what was written where rows and position are written at once, so that others need not fold it again.
    """

    def __init__(self, store: EventStore, codec: Codec, size: int, offer: Callable[[Work], None]) -> None:
        self._store = store
        self._codec = codec
        self._size = size
        self._offer = offer

    def run(self, lanes: Sequence[Lane], start: int, up_to: int) -> bool:
        """Reads after `start`, no further than `up_to`, folds and writes.

        Returns:
            Whether anything moved.
        """
        projections = {each.track.projection.name: each.track.projection for each in lanes}
        partitions = {each.partition for each in lanes}
        partition = partitions.pop() if len(partitions) == 1 else WHOLE
        reader = LogReader(self._store.backend, self._codec, wanted_to_fold(projections.values(), partition))
        rows, end = reader.page(start, up_to, self._size)
        try:
            events = reader.decode(rows)
        except EventfoldError as error:
            return self._unreadable(lanes, start, up_to, error)
        alike = len({(each.events, each.category, each.tags) for each in projections.values()}) == 1
        alone = alike and not any(each.reads for each in projections.values())
        work = [each for group in _groups(lanes) for each in self._fold(group, events, start, end, alone=alone)]
        return self._write(work)

    def _fold(
        self, lanes: Sequence[Lane], events: Sequence[Recorded[Any]], start: int, end: int, *, alone: bool
    ) -> list[Work]:
        """Folds for the targets of one partition of one projection."""
        projection = lanes[0].track.projection
        chosen = events if projection.reads else select_events(projection, events, alone=alone)
        try:
            return _folded(lanes, chosen, start, end)
        except TargetUnavailable as error:
            for lane in lanes:
                _stand_still(lane, start, error)
            return []
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception as error:  # noqa: BLE001 - reported in the projection's status
            for lane in lanes:
                _unfetched(lane, error)
            return []

    def _unreadable(self, lanes: Sequence[Lane], start: int, up_to: int, error: EventfoldError) -> bool:
        """Goes on projection by projection, so that only those fail that want the event at fault."""
        groups = _groups(lanes)
        if len(groups) > 1:
            moved = [self.run(mine, start, up_to) for mine in groups]
            return any(moved)
        for lane in lanes:
            _stand_still(lane, start, error)
        return False

    def _write(self, work: list[Work]) -> bool:
        outcomes = zip(work, write_all(work), strict=True)
        moved = [self._settle(each, outcome) for each, outcome in outcomes]
        if any(moved):
            self._store.announce()
        return any(moved)

    def _settle(self, work: Work, outcome: Outcome) -> bool:
        lane, change = work.lane, work.change
        if isinstance(outcome, (TargetUnavailable, NeedsRebuild, DefinitionError)):
            _stand_still(lane, change.from_position, outcome)
            return False
        if isinstance(outcome, (StoreUnavailable, StoreBusy)):
            lane.failed(outcome)
            return False
        if isinstance(outcome, Exception):
            return self._refused(work, outcome)
        if not outcome:
            return look_up(lane.track)
        if change.to_position > change.from_position or work.failure is None:
            lane.succeeded(change)
        if work.failure is not None:
            lane.failed(work.failure, poison=work.poison)
        elif work.whole and not lane.track.remote:
            self._offer(work)
        return change.to_position > change.from_position

    def write_offer(self, lane: Lane) -> bool:
        """Writes what was folded for another target, where it goes on from where this one stands.

        Returns:
            Whether that moved it.
        """
        offer = lane.next_offer()
        if offer is None:
            return False
        given = offer.change
        folded = Folded(dict(given.rows), given.events)
        change = changed(lane, folded, given.from_position, given.to_position, None)
        return self._write([Work(lane, change, offer.events)])

    def _refused(self, work: Work, error: Exception) -> bool:
        """Finds out which event is at fault, if one is."""
        lane, events = work.lane, work.events
        reasons = refused_keys(work, error) if isinstance(error, RowsRefused) else {}
        if reasons and lane.track.poison.attempts is not None:
            return self._write([without(work, reasons) if lane.last_attempt else before(work, reasons)])
        if half := first_half(events):
            return self._write(_folded([lane], half, work.change.from_position, half[-1].position))
        return self._stuck(work, error)

    def _stuck(self, work: Work, error: Exception) -> bool:
        """The database refuses the rows of one event."""
        lane, change, keys = work.lane, work.change, list(work.change.rows)
        poison = bool(work.events and keys) and is_of_rows(error)
        reason = f"the database refuses the row: {type(error).__name__}: {error}"
        if poison and lane.last_attempt:
            for chosen in [[key] for key in keys] + [keys] * (len(keys) > 1):
                parted = without(work, dict.fromkeys(chosen, reason))
                outcome = write_all([parted])[0]
                if not isinstance(outcome, Exception):
                    return self._settle(parted, outcome)
        start, position = change.from_position, work.events[0].position if work.events else change.from_position + 1
        failure = ProjectionFailed(lane.track.projection.name, position, keys[0] if len(keys) == 1 else keys, reason)
        still = standing(lane, start, position - 1, str(failure))
        return self._write([Work(lane, still, (), failure, poison)])


def first_half(events: Sequence[Recorded[Any]]) -> Sequence[Recorded[Any]]:
    """The first half, ending between two positions; nothing where all have the same one."""
    middle = len(events) // 2
    before = [each for each in events[:middle] if each.position != events[middle].position]
    return before or [each for each in events if each.position == events[0].position != events[-1].position]


def look_up(track: Track) -> bool:
    """Looks up where a track stands; False where it is paused, of another version of the code, or its database away."""
    try:
        track.refresh()
    except NeedsRebuild as error:
        track.failed(error)
        return False
    except StoreError as error:
        if track.elsewhere is None:
            raise
        track.failed(error)
        return False
    if track.paused:
        track.failed(ProjectionPaused(track.projection.name))
    return not track.paused


def _stand_still(lane: Lane, position: int, error: Exception) -> None:
    """Why is stored, for whoever asks for the status, in this process or another."""
    write_all([Work(lane, standing(lane, position, position, str(error)))])
    lane.failed(error)


def _groups(lanes: Sequence[Lane]) -> list[list[Lane]]:
    """The lanes of each partition of each projection, in all targets that hold the same rows.

    They do where the same keys wait aside, unless events were given up in one of them.
    """
    groups: dict[Any, list[Lane]] = {}
    for lane in lanes:
        rows = (frozenset(lane.parked), lane if lane.discarded else None)
        groups.setdefault((lane.track.projection.name, lane.partition, rows), []).append(lane)
    return list(groups.values())


def _unfetched(lane: Lane, error: Exception) -> None:
    """The rows to fold on cannot be read. If another process has swapped and dropped them, the next step knows."""
    before = lane.track.generation
    if look_up(lane.track) and lane.track.generation is before:
        lane.failed(error)


def _folded(lanes: Sequence[Lane], events: Sequence[Recorded[Any]], start: int, end: int) -> list[Work]:
    """Folds once for all targets of one partition that hold the same rows, because they stand at one position."""
    # read before what is parked: another thread may look a remote lane up meanwhile
    epochs = [each.epoch for each in lanes]
    track, partition, parked = lanes[0].track, lanes[0].partition, lanes[0].parked
    fetch, projection = _Rows(lanes[0].fetch, start), track.projection
    read = ReadRows(projection, track.generation, complete=start == 0)
    folded = fold_batch(projection, events, fetch, read, partition, parked)
    if folded.failure is not None and not folded.of_source and all(each.last_attempt for each in lanes):
        attempts = 1 + max(each.attempts for each in lanes)
        folded = park_batch(projection, events, fetch, read, partition, parked, attempts)
    if fetch.ahead and len(lanes) > 1:  # what these rows contain already, and was not folded, those of others may lack
        return [each for lane in lanes for each in _folded([lane], events, start, end)]
    to = end if folded.failure is None else folded.failure.position - 1
    error = None if folded.failure is None else str(folded.failure)
    return [
        Work(
            lane,
            replace(changed(lane, folded, start, to, error), epoch=epoch),
            events,
            folded.failure,
            poison=not folded.of_source,
            whole=not fetch.ahead,
        )
        for lane, epoch in zip(lanes, epochs, strict=True)
    ]


class _Rows:
    """Fetches rows, and remembers whether one of them was ahead: some of the events are not folded then."""

    def __init__(self, fetch: Fetch, start: int) -> None:
        self.ahead = False
        self._fetch, self._start = fetch, start

    def __call__(self, keys: Sequence[Any]) -> Fetched:
        fetched = self._fetch(keys)
        self.ahead = self.ahead or any(position > self._start for position in fetched.ahead.values())
        return fetched


def changed(lane: Lane, folded: Folded, start: int, to: int, error: str | None) -> Change:
    """What was folded, as a change of a lane's rows."""
    return Change(
        folded.rows, start, to, folded.events, error, lane.partition.number, lane.epoch, folded.parked, folded.read
    )
