"""How a reporting view does."""

from datetime import UTC, datetime

import msgspec

from eventstore import EventStore
from projections.views import BoundView


class ViewStatus(msgspec.Struct, frozen=True):
    """One reporting view.

    Attributes:
        view: its name.
        state: "live"; "waiting" (a table is not there yet, or was made by another version of the code: the view shows what
            it showed before), "outdated" (it is yet to be made anew) or "failed".
        materialized: whether its rows are kept.
        tables: that it reads.
        position: everything up to here is in it.
        lag: how many positions the log is ahead.
        events_behind: how many events were folded into the tables since it was refreshed.
        refreshed_at: when its rows were computed; None where they are not kept.
        refresh_seconds: how long that took.
        refresh: when a worker refreshes it, for people.
        error: why it could not be made, or refreshed.
    """

    view: str
    state: str
    materialized: bool
    tables: list[str]
    position: int
    lag: int
    events_behind: int = 0
    refreshed_at: datetime | None = None
    refresh_seconds: float | None = None
    refresh: str | None = None
    error: str | None = None


def view_status(store: EventStore, view: BoundView) -> ViewStatus:
    """The status as stored, whoever makes and refreshes it."""
    head = store.head()
    stored, infos = view.stored()
    there = [each for each in infos if each is not None]
    kept = view.declared.materialized and stored is not None and stored.number > 0
    position = min((each.position for each in there), default=0) if len(there) == len(infos) else 0
    if view.declared.materialized:
        position = 0 if stored is None else stored.position
    same = [
        info is not None and info.fingerprint == track.projection.fingerprint
        for info, track in zip(infos, view.tracks, strict=True)
    ]
    if stored is not None and stored.error is not None:
        state = "failed"
    elif not all(same):
        state = "waiting"
    else:
        state = "live" if stored is not None and view.is_current(stored, infos) else "outdated"
    error = None if stored is None else stored.error
    if error is None and stored is not None and view.is_superseded(stored):
        error = "a newer version of the code has made it of other SQL, and keeps it"
    return ViewStatus(
        view.name,
        state,
        view.declared.materialized,
        [each.name for each in view.tracks],
        position,
        max(0, head - position),
        max(0, sum(each.events for each in there) - stored.events) if kept and stored is not None else 0,
        datetime.fromtimestamp(stored.refreshed_us / 1e6, UTC) if kept and stored is not None else None,
        stored.seconds if kept and stored is not None else None,
        view.declared.schedule,
        error,
    )
