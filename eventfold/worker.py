"""The worker: keeps the read models up to date until it is stopped."""

import logging
import threading
from collections.abc import Callable
from typing import Self

from eventfold.parts import Parts
from eventstore import StoreBusy, StoreUnavailable
from eventstore.signal import ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff
from projections import ProjectionFailed
from projections.rebuild import outdated, rebuild

logger = logging.getLogger(__name__)


class Worker:
    """Runs an application's projections in this thread (`run`) or in one of its own (`start`).

    Any number of workers may run, in any number of processes: a batch that another worker has written is refused by the
    database and looked up again. Rows that were made by another version of a projection or its model are rebuilt first.

    Args:
        parts: of the application.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stopping = threading.Event()
        self._bell = ThreadBell(parts.store.signal)
        self._thread: threading.Thread | None = None
        self._failures = 0
        parts.store.listen()

    def run(self) -> None:
        """Works until `stop` is called. While the database is away it waits and tries again."""
        work = self._rebuild_outdated
        while not self._stopping.is_set():
            if not self._guarded(work):
                self._bell.wait(self._pause())
            elif work == self._rebuild_outdated:
                work = self._parts.engine.step

    def start(self) -> Self:
        """Works in a background thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="eventfold-worker", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the batch in hand, and waits for that."""
        self._stopping.set()
        self._bell.ring()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._bell.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            moved = work()
        except (StoreUnavailable, StoreBusy) as error:
            self._failures += 1
            logger.warning("the worker waits for the database: %s", error)
            return False
        self._failures = 0
        return moved

    def _pause(self) -> float:
        if self._failures:
            return backoff(self._failures)
        retry = self._parts.engine.retry_in()
        return SAFETY_POLL_SECONDS if retry is None else max(0.01, min(retry, SAFETY_POLL_SECONDS))

    def _rebuild_outdated(self) -> bool:
        for track in self._parts.engine.tracks:
            if outdated(track):
                logger.info("projection %s has changed: rebuilding %s", track.projection.name, track.name)
                try:
                    rebuild(self._parts.store, track)
                except ProjectionFailed as error:  # the others go on; its status says "outdated"
                    logger.error("%s", error)  # noqa: TRY400 - the fold's own traceback is its cause
        return True
