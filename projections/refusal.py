"""Refusals: what to do about rows that a target will not store."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from eventstore import Recorded
from projections.errors import ProjectionFailed, RowsRefused
from projections.fold import keys_of
from projections.lane import Lane
from projections.parked import key_text
from projections.parking import park
from projections.projection import Projection
from projections.target import Change
from projections.wanted import select_events
from projections.writing import Work

_OF_ROWS = {"IntegrityError", "DataError", "OverflowError", "UnicodeError", "InvalidInput"}
"""Errors that are the fault of what was to be stored, by their name in whatever driver, and in the tree of our own."""


def is_of_rows(error: BaseException | None) -> bool:
    """Whether a refusal is the fault of the rows, and not of a table that is gone or a right that is missing."""
    while error is not None:
        if any(cls.__name__ in _OF_ROWS for cls in type(error).__mro__):
            return True
        error = error.__cause__
    return False


def refused_keys(work: Work, error: RowsRefused) -> dict[Any, str]:
    """The keys of a change that its target refuses, with the reason."""
    return {
        key: f"the target refuses the row: {error.reasons[key]}" for key in work.change.rows if key in error.reasons
    }


def without(work: Work, reasons: Mapping[Any, str]) -> Work:
    """The same change, but the events of some keys wait aside, as far as they are in it."""
    lane, change = work.lane, work.change
    texts = {key_text(key): key for key in reasons}
    stops = {texts[each.key]: each.position for each in change.parked if each.error and each.key in texts}
    parked = [each for each in change.parked if each.key not in texts]
    for key, reason in reasons.items():
        mine = [recorded for recorded, keys in _keyed(work) if key in keys]
        failure = ProjectionFailed(lane.track.projection.name, mine[0].position, key, reason)
        parked += park(key, failure, mine, lane.attempts + 1)
    rows = {key: row for key, row in change.rows.items() if key not in reasons}
    firsts = [(keys[0], recorded.position) for recorded, keys in _keyed(work) if keys and lane.partition.holds(keys[0])]
    lost = sum(key in reasons and position < stops.get(key, position + 1) for key, position in firsts)
    return replace(work, change=replace(change, rows=rows, events=change.events - lost, parked=parked))


def before(work: Work, reasons: Mapping[Any, str]) -> Work:
    """Nothing of a change, because the target refuses the rows of some keys: it is tried again."""
    lane, start = work.lane, work.change.from_position
    key, reason = next(iter(reasons.items()))
    position = next(recorded.position for recorded, keys in _keyed(work) if key in keys)
    failure = ProjectionFailed(lane.track.projection.name, position, key, reason)
    return Work(lane, standing(lane, start, start, str(failure)), (), failure)


def standing(lane: Lane, start: int, to: int, error: str) -> Change:
    """A change of no rows: the reason why a lane stands still."""
    return Change({}, start, to, 0, error, lane.partition.number, lane.epoch)


def _keyed(work: Work) -> list[tuple[Recorded[Any], list[Any]]]:
    """The events that a change has folded, each with its keys; an event whose keys cannot be told has none."""
    projection = work.lane.track.projection
    events = [each for each in work.events if each.position <= work.change.to_position]
    own = select_events(projection, events, alone=not projection.reads)
    return [(each, _keys(projection, each)) for each in own]


def _keys(projection: Projection[Any], recorded: Recorded[Any]) -> list[Any]:
    try:
        return keys_of(projection, recorded)
    except ProjectionFailed:
        return []
