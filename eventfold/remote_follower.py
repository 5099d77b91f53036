"""Keeps one target that is on a server of its own up to date, in a thread of its own, so that nobody waits for that server."""

from eventfold.follower import Follower
from eventfold.outdated import Outdated
from eventfold.parts import Parts
from projections.leases import Leases
from projections.track import Track


def remote_follower(parts: Parts, track: Track, leases: Leases) -> Follower:
    """One remote target's part of a worker.

    Args:
        parts: of the application.
        track: the projection in that target.
        leases: the worker's, which keeps them.
    """
    remote = _Remote(parts, track, leases)
    return Follower(parts.store, f"{track.projection.name} in {track.name}", remote.step, remote.retry_in)


class _Remote:
    def __init__(self, parts: Parts, track: Track, leases: Leases) -> None:
        self._parts = parts
        self._track = track
        self._leases = leases
        self._outdated = Outdated(parts.store, track, leases)
        self._rebuilt = False

    def step(self) -> bool:
        """Moves the lanes that this worker holds by a batch."""
        self._rebuilt = self._rebuilt or self._outdated.mended()
        return self._parts.engine.step([self._track], owner=self._leases.name)

    def retry_in(self) -> float | None:
        """Seconds until the next failed lane is tried again."""
        return min((wait for lane in self._track.lanes if (wait := lane.retry_in) is not None), default=None)
