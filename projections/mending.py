"""What is done about parked events: they are looked at, folded after all, or given up.

No worker has to stop for that. What is folded and what no longer waits is written in one transaction, which raises the epoch of the
partition: a worker that still believes in the parked key is refused, and looks again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from eventstore import EventStore, InvalidInput, NotFound, Recorded, StoreBusy, StoreUnavailable
from eventstore.codec import Codec, codec_of
from eventstore.log_reader import LogReader
from eventstore.recorded import to_datetime
from projections.errors import NeedsRebuild, ProjectionFailed, RowsRefused
from projections.fold import fold_as_far, keys_of
from projections.parked import NO_KEY, Mended, Parked, key_text, read_key
from projections.partition import partition_of
from projections.refusal import is_of_rows
from projections.target import Generation, GenerationInfo, live_of
from projections.track import Track
from projections.wanted import wanted_by

AT_ONCE = 500
"""How many events are folded between two writes."""


class ParkedEvents(msgspec.Struct, frozen=True):
    """The events that wait aside for one key of a projection in one target.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        key: of the row; None where `key=` failed.
        position: of the first event that waits. The row is as it was before it.
        events: how many wait.
        attempts: how often the first one was tried.
        error: what is wrong with it.
        parked_at: since when it waits.
    """

    projection: str
    target: str
    key: Any
    position: int
    events: int
    attempts: int
    error: str | None
    parked_at: datetime


class Retried(msgspec.Struct, frozen=True):
    """What came of folding the parked events of a key.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        key: of the row.
        folded: how many events are in the row now.
        left: how many wait still.
        error: what is wrong with the first of those.
    """

    projection: str
    target: str
    key: Any
    folded: int
    left: int
    error: str | None


def parked_of(track: Track) -> list[ParkedEvents]:
    """What waits aside, in the order of the log."""
    live = live_of(track.target.generations())
    if live is None or not live.parked:
        return []
    name, model = track.projection.name, track.projection.model
    return [
        ParkedEvents(
            name,
            track.name,
            read_key(model, each.key),
            each.position,
            each.events,
            each.attempts,
            each.error,
            to_datetime(each.parked_us),
        )
        for each in track.target.generation(live.number).parked()
    ]


def waiting(track: Track, key: Any) -> list[Parked]:
    """The events that wait aside for a key, oldest first; None for those whose key could not be told."""
    live = live_of(track.target.generations())
    return [] if live is None else track.target.generation(live.number).parked_events(text_of(key))


def text_of(key: Any) -> str:
    """A key, or None for no key, as the text that it is parked under."""
    return NO_KEY if key is None else key_text(key)


def retry_parked(store: EventStore, tracks: Iterable[Track], keys: Sequence[Any] = ()) -> list[Retried]:
    """Folds the parked events of some keys in order onto their rows, as far as they go.

    Args:
        store: the log.
        tracks: a projection in its targets.
        keys: of the rows; by default all that wait. Those whose key could not be told are left as they are.

    Raises:
        NotFound: nothing is parked for one of the keys.
        InvalidInput: one of the keys is None; see `retry`.
        NeedsRebuild: the rows were made by another version of the projection or model.
    """
    parked = [(track, each.key) for track in tracks for each in parked_of(track)]
    for key in keys:
        if all(each != key for _, each in parked):
            raise NotFound(f"no event of key {key!r} is parked; see `eventfold projections parked list`")
    return [retry(store, track, key) for track, key in parked if (key in keys if keys else key is not None)]


def discard_parked(store: EventStore, tracks: Iterable[Track], key: Any, position: int | None = None) -> int:
    """Gives up parked events of a key, in all targets where they are parked. See `discard`."""
    found = [track for track in tracks if any(each.key == key for each in parked_of(track))]
    if not found:
        raise NotFound(f"no event of key {key!r} is parked; see `eventfold projections parked list`")
    return sum(discard(store, track, key, position) for track in found)


def retry(store: EventStore, track: Track, key: Any) -> Retried:
    """Folds the parked events of a key in order onto its row, as far as they go.

    Args:
        store: the log.
        track: the projection in its target.
        key: of the row.

    Raises:
        InvalidInput: the key is None: what has come after those events is in the rows already, so they can only be folded by a
            rebuild.
        NeedsRebuild: the rows were made by another version of the projection or model.
    """
    if key is None:
        name = track.projection.name
        raise InvalidInput(
            f"projection {name!r}: events whose key could not be told cannot be retried, because later events of the same rows are "
            f"folded already; mend key= and run `eventfold projections rebuild {name}`"
        )
    return _Retry(store, track, key).run()


def discard(store: EventStore, track: Track, key: Any, position: int | None = None) -> int:
    """Gives up parked events of a key: they are never folded into its row, unless the projection is rebuilt.

    Args:
        store: the log, whose readers are told.
        track: the projection in its target.
        key: of the row; None for the events whose key could not be told.
        position: only the event at this one; the others of the key go on waiting.

    Returns:
        How many they were.

    Raises:
        NotFound: no event of the key is parked, or none at that position.
    """
    text = text_of(key)
    while True:
        info, generation = _live(track)
        parked = generation.parked_events(text)
        gone = [each.position for each in parked if position in {None, each.position}]
        if not gone:
            where = "" if position is None else f" at position {position}"
            raise NotFound(
                f"projection {track.projection.name!r}: no event of key {key!r}{where} is parked in {track.name!r}"
            )
        left = [each for each in parked if each.position not in gone]
        still = None
        if left and left[0].error is None:
            reason = f"the event before it, at position {gone[0]}, was discarded; it has not been tried since"
            still = Parked(text, left[0].position, reason)
        partition, epoch = place_of(info, key)
        if generation.mend(Mended(text, partition, epoch, gone, discarded=True, still=still)):
            store.announce()
            return len(gone)


class _Retry:
    """One retry of a key."""

    def __init__(self, store: EventStore, track: Track, key: Any) -> None:
        self._store, self._track, self._key, self._text = store, track, key, key_text(key)
        self._reader = _reader(store, track)
        self._at_once = AT_ONCE
        self._folded = 0

    def run(self) -> Retried:
        """Folds and writes until nothing waits, or an event fails again."""
        while True:
            info, generation = _live(self._track)
            parked = generation.parked_events(self._text)
            if not parked:
                return self._retried(0, None)
            chosen = parked[: self._at_once]
            mended = self._fold(info, generation, chosen)
            try:
                written = generation.mend(mended)
            except (StoreUnavailable, StoreBusy):
                raise
            except Exception as error:
                if not (is_of_rows(error) or isinstance(error, RowsRefused)):
                    raise
                if len(chosen) > 1:
                    self._at_once = len(chosen) // 2  # whatever is at fault is found in the end
                    continue
                mended = self._stuck(info, chosen[0], f"the target refuses the row: {error}")
                written = generation.mend(mended)
            if written:
                self._folded += mended.events
                self._store.announce()
                if mended.still is not None:
                    return self._retried(len(parked) - len(mended.gone), mended.still.error)

    def _fold(self, info: GenerationInfo, generation: Generation, parked: Sequence[Parked]) -> Mended:
        fetched = generation.fetch([self._key])
        ahead = fetched.ahead.get(self._key, 0)  # a row that was written before it could be said what it contains
        events, failure = self._mine(parked)
        new = [each for each in events if each.position > ahead]
        row, of_fold = fold_as_far(self._track.projection, self._key, fetched.rows.get(self._key), new)
        failure = of_fold or failure
        done = [each for each in parked if failure is None or each.position < failure.position]
        still = None
        if failure is not None:
            at_fault = parked[len(done)]
            still = Parked(self._text, at_fault.position, failure.reason, at_fault.attempts + 1)
        last = done[-1].position if done else 0
        partition, epoch = place_of(info, self._key)
        return Mended(
            self._text,
            partition,
            epoch,
            [each.position for each in done],
            {self._key: row} if done else {},
            sum(each.position <= last and keys_of(self._track.projection, each)[0] == self._key for each in events),
            still=still,
        )

    def _mine(self, parked: Iterable[Parked]) -> tuple[list[Recorded[Any]], ProjectionFailed | None]:
        """The events, as far as `key=` still says that they are of this row, and where it fails."""
        found: list[Recorded[Any]] = []
        for each in parked:
            for recorded in self._reader.decode(self._reader.rows(each.position - 1, each.position, 1)):
                try:
                    if self._key in keys_of(self._track.projection, recorded):
                        found.append(recorded)
                except ProjectionFailed as failure:
                    return found, failure
        return found, None

    def _stuck(self, info: GenerationInfo, at_fault: Parked, reason: str) -> Mended:
        partition, epoch = place_of(info, self._key)
        still = Parked(self._text, at_fault.position, reason, at_fault.attempts + 1)
        return Mended(self._text, partition, epoch, still=still)

    def _retried(self, left: int, error: str | None) -> Retried:
        return Retried(self._track.projection.name, self._track.name, self._key, self._folded, left, error)


def _reader(store: EventStore, track: Track) -> LogReader:
    codec: Codec = codec_of(track.projection.events)
    return LogReader(store.backend, codec, wanted_by([track.projection]))


def _live(track: Track) -> tuple[GenerationInfo, Generation]:
    """The live generation and how it stands; what is read of it later is not older."""
    live = live_of(track.target.generations())
    if live is None:
        raise NotFound(
            f"projection {track.projection.name!r}: there are no rows in {track.name!r} yet, so nothing is parked"
        )
    if live.fingerprint != track.projection.fingerprint:
        raise NeedsRebuild(
            f"projection {track.projection.name!r}: the rows of target {track.name!r} were made by another version of the "
            f"projection or its model; run `eventfold projections rebuild {track.projection.name}`, which folds parked events too"
        )
    return live, track.target.generation(live.number)


def place_of(info: GenerationInfo, key: Any) -> tuple[int, int]:
    """The partition that a key belongs to, and its epoch."""
    partition = 0 if key is None else partition_of(key, len(info.checkpoints))
    return partition, info.checkpoints[partition].epoch
