"""Keeps the read models of a database beside the log's up to date, in a thread of its own, with leases of its own.

So that nobody else waits for that database, nor for the workers that reach it.
"""

import logging

from eventfold.follower import Follower
from eventfold.outdated import Outdated
from eventfold.parts import Parts
from eventstore import StoreError
from projections.leases import Leases
from projections.other_database import OtherDatabase

logger = logging.getLogger(__name__)


def database_follower(parts: Parts, database: OtherDatabase, lease_seconds: float) -> Follower:
    """One other database's part of a worker.

    Args:
        parts: of the application.
        database: the database.
        lease_seconds: how long the worker may be silent before others take over.
    """
    elsewhere = _Elsewhere(parts, database, lease_seconds)
    return Follower(
        parts.store, f"read models in {database.description}", elsewhere.step, elsewhere.retry_in, elsewhere.release
    )


class _Elsewhere:
    def __init__(self, parts: Parts, database: OtherDatabase, lease_seconds: float) -> None:
        self._engine = parts.engine
        self._tracks = parts.engine.elsewhere[database]
        self._leases = Leases(parts.engine, seconds=lease_seconds, database=database)
        self._outdated = [Outdated(parts.store, each, self._leases) for each in self._tracks]

    def step(self) -> bool:
        """Moves the lanes that this worker holds by a batch."""
        try:
            if not self._leases.due_in:
                self._leases.keep()
                self._outdated = [each for each in self._outdated if not each.mended()]
            return self._engine.step(self._tracks, owner=self._leases.name)
        except StoreError as error:
            for track in self._tracks:
                track.failed(error)
            raise

    def retry_in(self) -> float | None:
        """Seconds until a failed lane is tried again, or the leases are renewed."""
        lanes = [lane for track in self._tracks for lane in track.lanes]
        return min([self._leases.due_in, *[wait for lane in lanes if (wait := lane.retry_in) is not None]])

    def release(self) -> None:
        """Lets go of the leases."""
        try:
            self._leases.release()
        except StoreError as error:  # they end by themselves
            logger.warning("the worker could not let go of its leases: %s", error)
