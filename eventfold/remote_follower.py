"""Keeps one target that is on a server of its own up to date, in a thread of its own, so that nobody waits for that server."""

import logging
import threading

from eventfold.parts import Parts
from eventstore import StoreBusy, StoreUnavailable
from eventstore.signal import ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff
from projections.leases import Leases
from projections.rebuild import outdated, rebuild
from projections.track import Track

logger = logging.getLogger(__name__)


class RemoteFollower:
    """One remote target's part of a worker.

    Args:
        parts: of the application.
        track: the projection in that target.
        leases: the worker's, which keeps them.
    """

    def __init__(self, parts: Parts, track: Track, leases: Leases) -> None:
        self._parts = parts
        self._track = track
        self._leases = leases
        self._stopping = threading.Event()
        self._bell = ThreadBell(parts.store.signal)
        self._thread = threading.Thread(target=self._work, name=f"eventfold-{track.name}", daemon=True)
        self._rebuilt = False

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
                try:
                    moved = self._step()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - nothing but `stop` ends it
                    logger.warning("projection %s in %s: %s", self._track.projection.name, self._track.name, error)
                    failures += 1
                    moved = False
                if failures:
                    self._stopping.wait(backoff(failures))
                elif not moved:
                    self._bell.wait(self._pause())
        finally:
            self._bell.close()

    def _step(self) -> bool:
        if not self._rebuilt:
            self._rebuild()
            self._rebuilt = True
        return self._parts.engine.step([self._track], owner=self._leases.name)

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

    def _pause(self) -> float:
        waits = [wait for lane in self._track.lanes if (wait := lane.retry_in) is not None]
        return max(0.01, min([SAFETY_POLL_SECONDS, *waits]))
