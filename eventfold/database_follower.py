"""Keeps the read models of a database beside the log's up to date, in a thread of its own, with leases of its own.

So that nobody else waits for that database, nor for the workers that reach it.
"""

import logging
import threading

from eventfold.parts import Parts
from eventstore import StoreBusy, StoreError, StoreUnavailable
from eventstore.signal import ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff
from projections.leases import Leases
from projections.other_database import OtherDatabase
from projections.rebuild import outdated, rebuild
from projections.track import Track

logger = logging.getLogger(__name__)


class DatabaseFollower:
    """One other database's part of a worker.

    Args:
        parts: of the application.
        database: the database.
        lease_seconds: how long the worker may be silent before others take over.
    """

    def __init__(self, parts: Parts, database: OtherDatabase, lease_seconds: float) -> None:
        self._parts = parts
        self._tracks = parts.engine.elsewhere[database]
        self._unbuilt = list(self._tracks)
        self._leases = Leases(parts.engine, seconds=lease_seconds, database=database)
        self._stopping = threading.Event()
        self._bell = ThreadBell(parts.store.signal)
        self._thread = threading.Thread(target=self._work, name=f"eventfold-{database.description}", daemon=True)

    def start(self) -> None:
        """Works until it is stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand, and waits for that."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def _work(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                moved = False
                try:
                    moved = self._step()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - nothing but `stop` ends it
                    failures += 1
                    self._failed(error)
                if failures:
                    self._stopping.wait(backoff(failures))
                elif not moved:
                    self._bell.wait(self._pause())
            self._release()
        finally:
            self._bell.close()

    def _step(self) -> bool:
        while self._unbuilt:
            self._rebuild(self._unbuilt[0])
            self._unbuilt.pop(0)
        if not self._leases.due_in:
            self._leases.keep()
        return self._parts.engine.step(self._tracks, owner=self._leases.name)

    def _rebuild(self, track: Track) -> None:
        """Rebuilds what another version of the code has made; tried again while the database is away."""
        if not outdated(track):
            return
        logger.info("projection %s has changed: rebuilding %s", track.projection.name, track.name)
        try:
            rebuild(self._parts.store, track)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception:  # its status says "outdated"
            logger.exception("projection %s cannot be rebuilt", track.projection.name)

    def _failed(self, error: Exception) -> None:
        """Each track says once what it stands still for."""
        for track in self._tracks:
            track.failed(error)

    def _release(self) -> None:
        try:
            self._leases.release()
        except StoreError as error:  # they end by themselves
            logger.warning("the worker could not let go of its leases: %s", error)

    def _pause(self) -> float:
        lanes = [lane for track in self._tracks for lane in track.lanes]
        waits = [wait for lane in lanes if (wait := lane.retry_in) is not None]
        return max(0.01, min([SAFETY_POLL_SECONDS, self._leases.due_in, *waits]))
