"""How a projection does: its state, where it stands, and how far behind that is."""

import msgspec

from eventstore import EventStore
from projections.track import Track


class ProjectionStatus(msgspec.Struct, frozen=True):
    """One projection in one target.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        state: "new", "live", "rebuilding", "failed" or "outdated" (made by another version of the code).
        generation: the number of the live generation; 0 where there is none.
        position: everything up to here is in the rows.
        lag: how many positions the log is ahead.
        events: how many events were folded into the live generation.
        rebuilding_position: where a generation that is being built stands.
        error: why the projection stands still.
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


def status_of(store: EventStore, track: Track) -> ProjectionStatus:
    """The status as stored, whoever keeps the projection."""
    head = store.head()
    generations = track.target.generations()
    live = next((each for each in generations if each.state == "live"), None)
    building = next((each for each in reversed(generations) if each.state == "building"), None)
    rebuilding = None if building is None else building.position
    name = track.projection.name
    if live is None:
        state = "new" if building is None else "rebuilding"
        return ProjectionStatus(name, track.name, state, 0, 0, head, 0, rebuilding)
    state = "live"
    if live.error is not None:
        state = "failed"
    elif building is not None:
        state = "rebuilding"
    elif live.fingerprint != track.projection.fingerprint:
        state = "outdated"
    lag = max(0, head - live.position)
    return ProjectionStatus(
        name, track.name, state, live.number, live.position, lag, live.events, rebuilding, live.error
    )
