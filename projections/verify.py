"""Compares what a read model holds with what the log makes of it, and mends what differs."""

import random
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from eventstore import EventStore
from eventstore.difference import Difference, difference
from projections.fold import fold, fold_key, in_memory
from projections.moment import Moment
from projections.parked import Mended, key_text, read_key
from projections.partition import WHOLE, Partition
from projections.target import Checkpoint, Generation
from projections.touching import contained, touching
from projections.track import Track

BATCH = 10_000
ATTEMPTS = 20
"""How often a row that differs is looked at again while somebody moves it."""


class Fault(msgspec.Struct, frozen=True):
    """A row that is not what the log makes of it.

    Attributes:
        key: of the row.
        kind: "missing" in the read model, "extra" in it, or "different".
        differences: from what is stored to what should be, field by field; empty where the whole row is.
        repaired: whether it was mended.
    """

    key: Any
    kind: Literal["missing", "extra", "different"]
    differences: tuple[Difference, ...]
    repaired: bool


class Verified(msgspec.Struct, frozen=True):
    """What came of a verification.

    Attributes:
        rows: how many keys were compared.
        faults: those that differ, in the order of their keys as text.
    """

    rows: int
    faults: list[Fault]


def verify(
    store: EventStore,
    track: Track,
    *,
    sample: int | None = None,
    repair: bool = False,
    seed: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _position, _end: None,
) -> Verified:
    """Folds the log anew in memory, compares all rows of the live generation, and looks again at those that differ.

    Workers may go on meanwhile: a row counts as faulty only where it differs at one and the same position. Rows of parked keys are
    left out, because they lack what waits aside.

    Args:
        store: the log.
        track: the projection and its target.
        sample: compare only so many of the keys, chosen at random; the log is read all the same.
        repair: write the rows that differ as they should be, and no others. That raises the epoch of their partition, so that no
            worker folds on upon a row that it remembers.
        seed: makes the same choice again.
        on_progress: called after every batch with the position reached and the one to be reached.

    Raises:
        ProjectionFailed: the fold raised.
        NeedsRebuild: the rows were made by another version of the projection.
    """
    track.refresh()
    generation = track.generation
    expected = _expected(store, track, generation, on_progress)
    with track.target.rows(generation.number) as rows:
        key_field = track.projection.model.key.name
        stored = {getattr(row, key_field): row for row in rows}
    keys = sorted({*expected, *stored} - _parked(track, generation), key=str)
    if sample is not None and sample < len(keys):
        keys = sorted(random.Random(seed).sample(keys, sample), key=str)  # noqa: S311 - a sample, not a secret
    suspects = [key for key in keys if expected.get(key) != stored.get(key)]
    found = (_confirmed(store, track, generation, key, repair=repair) for key in suspects)
    return Verified(len(keys), [fault for fault in found if fault is not None])


def _expected(
    store: EventStore, track: Track, generation: Generation, on_progress: Callable[[int, int], None]
) -> dict[Any, Any]:
    """The rows as the checkpoints of their partitions say they are."""
    rows: dict[Any, Any] = {}
    checkpoints = generation.info.checkpoints
    end = max(each.position for each in checkpoints)
    parts = {Partition(each.partition, len(checkpoints)): each.position for each in checkpoints}
    if len(set(parts.values())) == 1:
        parts = {WHOLE: end}
    for partition, position in parts.items():
        own: dict[Any, Any] = {}
        for events in contained(store, track.projection, Moment(position), BATCH):
            folded = fold(track.projection, events, in_memory(own), partition)
            if folded.failure is not None:
                raise folded.failure
            own.update(folded.rows)
            on_progress(events[-1].position if events else position, end)
        rows |= own
    return {key: row for key, row in rows.items() if row is not None}


def _confirmed(store: EventStore, track: Track, generation: Generation, key: Any, *, repair: bool) -> Fault | None:
    """The fault, if the row still differs while its checkpoint stands still."""
    for _ in range(ATTEMPTS):
        found = _row_at_rest(generation, key)
        if found is None:
            continue
        at, row, as_of = found
        if at.parked and key in _parked(track, generation):
            return None
        should = fold_key(track.projection, key, touching(store, track.projection, key, Moment(as_of)))
        if row == should:
            return None
        if not repair:
            return _fault(key, row, should, repaired=False)
        mended = Mended(key_text(key), at.partition, at.epoch, rows={key: should}, position=at.position, as_of=as_of)
        if generation.mend(mended):
            store.announce()
            return _fault(key, row, should, repaired=generation.fetch([key]).rows.get(key) == should)
    return None


def _parked(track: Track, generation: Generation) -> set[Any]:
    """The keys whose events wait aside: their rows lack them, and will be mended by a retry."""
    return {read_key(track.projection.model, each.key) for each in generation.parked()}


def _row_at_rest(generation: Generation, key: Any) -> tuple[Checkpoint, Any, int] | None:
    """A row, its partition's checkpoint, and up to where the row contains everything, if they stood still while they were read."""
    before = _checkpoint(generation, key)
    fetched = generation.fetch([key])
    after = _checkpoint(generation, key)
    if (before.position, before.epoch) != (after.position, after.epoch):
        return None
    return before, fetched.rows.get(key), max(before.position, fetched.ahead.get(key, 0))


def _checkpoint(generation: Generation, key: Any) -> Checkpoint:
    checkpoints = generation.info.checkpoints
    return next(each for each in checkpoints if Partition(each.partition, len(checkpoints)).holds(key))


def _fault(key: Any, row: Any, should: Any, *, repaired: bool) -> Fault:
    if row is None:
        return Fault(key, "missing", (), repaired)
    if should is None:
        return Fault(key, "extra", (), repaired)
    return Fault(key, "different", tuple(difference(row, should)), repaired)
