"""Keeps one target that is on a server of its own up to date, in a thread of its own, so that nobody waits for that server."""

import logging

from eventfold.follower import Follower
from eventfold.parts import Parts
from eventstore import StoreBusy, StoreUnavailable
from projections.leases import Leases
from projections.rebuild import outdated, rebuild
from projections.track import Track

logger = logging.getLogger(__name__)


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
        self._rebuilt = False

    def step(self) -> bool:
        """Moves the lanes that this worker holds by a batch."""
        if not self._rebuilt:
            self._rebuild()
            self._rebuilt = True
        return self._parts.engine.step([self._track], owner=self._leases.name)

    def retry_in(self) -> float | None:
        """Seconds until the next failed lane is tried again."""
        return min((wait for lane in self._track.lanes if (wait := lane.retry_in) is not None), default=None)

    def _rebuild(self) -> None:
        """Rebuilds what another version of the code has made; tried again while the server is away."""
        if not outdated(self._track):
            return
        logger.info("projection %s has changed: rebuilding %s", self._track.projection.name, self._track.name)
        try:
            rebuild(self._parts.store, self._track)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception:  # its status says "outdated"
            logger.exception("projection %s cannot be rebuilt", self._track.projection.name)
