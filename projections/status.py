"""How a projection does: its state, where it stands, and how far behind that is."""

import time

import msgspec
from msgspec.structs import replace

from eventstore import EventStore, StoreError
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from projections.errors import EventParked
from projections.parked import read_key
from projections.target import GenerationInfo, live_of, rate_after
from projections.track import Track, ahead_of_log
from projections.wanted import wanted_by

COUNTED = 1_000
"""So many events behind are counted one by one."""


class ProjectionStatus(msgspec.Struct, frozen=True):
    """One projection in one target.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        state: "new", "live", "parked" (live, but for some keys), "rebuilding", "outdated" (made by another version of the code),
            "failed" (stands still) or "paused".
        generation: the number of the live generation; 0 where there is none.
        position: everything up to here is in the rows.
        lag: how many positions the log is ahead.
        events: how many events were folded into the live generation.
        rebuilding_position: where a generation that is being built stands.
        error: why the projection stands still; or why the last key was parked.
        events_behind: how many events it has yet to fold; from 1,000 on, the lag.
        seconds_behind: how long ago the first of them was recorded; 0 where there is none.
        rate: events folded per second, in about the last five seconds.
        parked: how many events wait aside.
        discarded: how many were given up; until the next rebuild, the rows are those of the log without them.
        consistency: "inline" where appends fold their events themselves, "async" where that is done afterwards.
    """

    projection: str
    target: str
    state: str
    generation: int
    position: int
    lag: int
    events: int
    rebuilding_position: int | None = None
    error: str | None = None
    events_behind: int = 0
    seconds_behind: float = 0.0
    rate: float = 0.0
    parked: int = 0
    discarded: int = 0
    consistency: str = "async"


def status_of(store: EventStore, track: Track) -> ProjectionStatus:
    """The status as stored, whoever keeps the projection."""
    head = store.head()
    try:
        generations = track.target.generations()
    except StoreError as error:
        if track.elsewhere is None:
            raise
        return ProjectionStatus(track.projection.name, track.name, "failed", 0, 0, head, 0, error=str(error))
    live = live_of(generations)
    building = next((each for each in reversed(generations) if each.state == "building"), None)
    position = 0 if live is None else live.position
    behind, seconds = _behind(store, track, position, head)
    status = ProjectionStatus(
        track.projection.name,
        track.name,
        "new" if building is None else "rebuilding",
        generation=0,
        position=position,
        lag=max(0, head - position),
        events=0,
        rebuilding_position=None if building is None else building.position,
        events_behind=behind,
        seconds_behind=seconds,
        consistency="inline" if track.inline else "async",
    )
    if live is None:
        return status
    if track.elsewhere is not None and position > head:
        return replace(status, state="failed", generation=live.number, error=ahead_of_log(track, position, head))
    return replace(
        status,
        state=_state(track, live, status.state),
        generation=live.number,
        events=live.events,
        error=live.error or (_parked_error(track, live) if live.parked else None),
        rate=_rate(live),
        parked=live.parked,
        discarded=live.discarded,
    )


def _state(track: Track, live: GenerationInfo, without_live: str) -> str:
    if live.paused:
        return "paused"
    if live.error is not None:
        return "failed"
    if without_live == "rebuilding":
        return "rebuilding"
    if live.fingerprint != track.projection.fingerprint:
        return "outdated"
    return "parked" if live.parked else "live"


def _behind(store: EventStore, track: Track, position: int, head: int) -> tuple[int, float]:
    """How many events are yet to be folded, and for how many seconds the first of them has been in the log."""
    if position >= head:
        return 0, 0.0
    reader = LogReader(store.backend, codec_of(track.projection.events), wanted_by([track.projection]))
    rows = reader.rows(position, head, COUNTED)
    if not rows:
        return 0, 0.0
    seconds = round(max(0.0, time.time() - rows[0][3] / 1e6), 3)
    return (len(rows) if len(rows) < COUNTED else head - position), seconds


def _rate(live: GenerationInfo) -> float:
    now = time.time_ns() // 1000
    return round(sum(rate_after(each.rate, 0, now - each.updated_us) for each in live.checkpoints), 1)


def _parked_error(track: Track, live: GenerationInfo) -> str | None:
    found = [each for each in track.target.generation(live.number).parked() if each.error is not None]
    if not found:
        return None
    last = max(found, key=lambda each: each.parked_us)
    key = read_key(track.projection.model, last.key)
    return str(EventParked(track.projection.name, last.position, key, str(last.error)))
