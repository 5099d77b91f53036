"""Read your writes: rows that contain a certain write, or an error that says why they do not.

What a process remembers of a projection's position only tells when it is worth looking. Whether the rows contain the write is asked
where they are read: a database that crashed may have taken back the last rows together with their position, see ADR 0010.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from eventstore import StoreBusy, StoreError, StoreUnavailable
from eventstore.signal import ThreadBell
from eventstore.token import position_of
from projections.engine import Engine
from projections.errors import EventParked, NotYetVisible, ProjectionFailed, ProjectionPaused
from projections.moment import Moment
from projections.parked import key_text, read_key
from projections.stale import Stale, StaleOption
from projections.target import Reader, RowsSwapped
from projections.targets.memory import MemoryReader
from projections.track import Track

T = TypeVar("T")

HELP_SECONDS = 0.05
"""How long one wait takes at most, for the engine or for news: another process may have moved the track meanwhile."""


SWAP_SECONDS = 2.0
"""How long to wait, after a swap of rows that may have been ahead of their position, for the new ones to be where those were."""


def past_reader(engine: Engine, track: Track, moment: Moment, only: Any) -> MemoryReader:
    """A reader of the rows as they were at a moment: of all, or of the one under a key."""
    projection = track.projection
    if only is None:
        return MemoryReader(projection.name, engine.past.rows(projection, moment), moment.up_to)
    row = engine.past.row(projection, only, moment)
    return MemoryReader(projection.name, {} if row is None else {only: row}, moment.up_to)


def read_live(
    engine: Engine,
    track: Track,
    token: str | None,
    read: Callable[[Reader], T],
    *,
    seconds: float,
    stale: StaleOption,
    key: Any = None,
) -> T:
    """Reads the live rows, once they contain the write of a token where one is given.

    Raises:
        NotYetVisible, ProjectionFailed, ProjectionPaused, StoreBusy: as `read_after`.
        NeedsRebuild: another version of the code has made the rows.
    """
    track.look()  # makes them on first use, so that a query before the first event finds a table
    while True:
        try:
            return _read_live(engine, track, token, read, seconds=seconds, stale=stale, key=key)
        except RowsSwapped:  # what was read before stood no further than the log does now
            read_after(engine, track, engine.store.head(), _accept, seconds=SWAP_SECONDS, stale=True)
        except (StoreBusy, StoreUnavailable):
            raise
        except StoreError:
            track.look(anew=True)  # a column may be missing because newer code has put its rows in their place
            raise


def _accept(reader: Any) -> None:
    reader.accept()


def _read_live(
    engine: Engine,
    track: Track,
    token: str | None,
    read: Callable[[Reader], T],
    *,
    seconds: float,
    stale: StaleOption,
    key: Any,
) -> T:
    if token is None:
        with _reading_on(track) as reader:
            return read(reader)
    position = position_of(token)

    def told(reader: Reader) -> T:
        if callable(stale):
            reached = reader.position
            missing = _parked_before(track, position, key) if reader.parked else None
            if reached < position or missing is not None:
                stale(Stale(track.projection.name, position, reached, missing))
        return read(reader)

    return read_after(engine, track, position, told, seconds=seconds, stale=bool(stale), key=key)


def read_after(
    engine: Engine,
    track: Track,
    position: int,
    read: Callable[[Reader], T],
    *,
    seconds: float,
    stale: bool,
    key: Any = None,
) -> T:
    """Reads when a track contains everything up to a position.

    Args:
        engine: helps where nobody else folds.
        track: of the read model that is queried.
        position: of the write to be seen.
        read: what to do with the rows.
        seconds: how long to wait; while somebody else holds a lock, up to the database's `busy_seconds` longer.
        stale: read what there is when the time is over, or when the projection stands still.
        key: of the row that is read, where it is only one.

    Raises:
        EventParked: the write waits aside, or the row of the key waits for an earlier event, and a stale answer will not do.
        ProjectionPaused: the projection is paused before that position, and a stale answer will not do.
        NotYetVisible: the time is over, and a stale answer will not do.
        ProjectionFailed: the projection stands still before that position, and a stale answer will not do.
        StoreBusy: somebody else held a lock until the time was over, and a stale answer will not do.
    """
    deadline = time.monotonic() + seconds
    remembered = True
    while True:
        perhaps = remembered and (track.inline or track.position >= position)
        visible = perhaps or _wait(engine, track, position, deadline, stale=stale)
        over = not visible or (not remembered and time.monotonic() >= deadline)
        with _reading_on(track) as reader:
            if reader.position >= position or (over and stale):
                if not stale and reader.parked and (missing := _parked_before(track, position, key)) is not None:
                    raise missing
                return read(reader)
            reached = reader.position
        if over:
            raise NotYetVisible(track.projection.name, position, reached, seconds)
        remembered = False


def _reading_on(track: Track) -> AbstractContextManager[Reader]:
    """A reader that shows nothing older than what was read before."""
    found: AbstractContextManager[Reader] = getattr(track.target, "reading_on", track.target.reading)()
    return found


def _parked_before(track: Track, position: int, key: Any) -> EventParked | None:
    """Why a write is not in the rows, but aside; None where it is in them.

    Args:
        track: of the read model that is queried.
        position: of the write.
        key: of the row that is read, where it is only one: then an earlier event that it waits for counts, too.
    """
    text = None if key is None else key_text(key)
    found = track.generation.parked_events(text, position=position if text is None else None)
    if not found or found[0].position > position:
        return None
    first = track.generation.parked_events(found[0].key)[:1] or found
    chosen = read_key(track.projection.model, first[0].key)
    return EventParked(track.projection.name, first[0].position, chosen, str(first[0].error))


def _wait(engine: Engine, track: Track, position: int, deadline: float, *, stale: bool) -> bool:
    """Waits until the track is there; whoever waits, helps. False when the time is over."""
    bell = ThreadBell(engine.store.signal)
    try:
        while True:
            left = max(0.0, deadline - time.monotonic())
            moved = engine.help(track, position, min(HELP_SECONDS, left))
            if track.position >= position:
                return True
            left = deadline - time.monotonic()
            if left <= 0 or not isinstance(track.failure, StoreBusy):  # somebody else's lock may be let go in time
                track.raise_failure()
            if left <= 0:
                return False
            if not moved:
                bell.wait(min(left, HELP_SECONDS))
    except (ProjectionFailed, ProjectionPaused, StoreBusy):
        if not stale:
            raise
        return False
    finally:
        bell.close()
