"""Rebuilds what another version of the code has made, one worker at a time."""

import logging

from eventstore import EventStore, StoreBusy, StoreUnavailable
from projections.leases import Leases
from projections.rebuild import rebuild
from projections.rebuild_turn import RebuildTurn
from projections.track import Track

logger = logging.getLogger(__name__)


class Outdated:
    """What one worker does about a read model that another version of the code has made.

    Args:
        store: the log.
        track: the projection and its target.
        leases: the worker's.
    """

    def __init__(self, store: EventStore, track: Track, leases: Leases) -> None:
        self._store, self._track, self._leases = store, track, leases
        self._told: str | None = None

    def mended(self) -> bool:
        """Rebuilds it, if it is outdated and this worker's turn; False where another worker is at it."""
        name = self._track.projection.name
        try:
            turn = RebuildTurn(self._track, self._leases.name, self._leases.seconds)
            whose = turn.take()
            if whose == self._leases.name:
                logger.info("projection %s has changed: rebuilding %s", name, self._track.name)
                rebuild(self._store, self._track, on_progress=turn.renewing())
            elif whose is not None:
                self._tell(whose)
                return False
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception:  # the others go on; its status says "outdated"
            logger.exception("projection %s cannot be rebuilt", name)
        return True

    def _tell(self, other: str) -> None:
        if self._told != other:
            self._told = other
            name, target = self._track.projection.name, self._track.name
            logger.info(
                "projection %s has changed, and worker %s is rebuilding %s; this one goes on with all else",
                name,
                other,
                target,
            )
