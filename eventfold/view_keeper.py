"""Keeps one reporting view, in a thread of its own: shows what is live, and refreshes what is due."""

import logging
import threading

from eventfold.parts import Parts
from eventstore.signal import ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff
from projections.views import BoundView

logger = logging.getLogger(__name__)

REST_SECONDS = 0.05
"""The least pause between two looks, however many events come in."""


class ViewKeeper:
    """One view's part of a worker. Several workers need not agree on who refreshes it: the database lets one.

    Args:
        parts: of the application.
        view: the view.
    """

    def __init__(self, parts: Parts, view: BoundView) -> None:
        self._view = view
        self._stopping = threading.Event()
        self._bell = ThreadBell(parts.store.signal)
        self._thread = threading.Thread(target=self._work, name=f"eventfold-{view.name}", daemon=True)

    def start(self) -> None:
        """Works until it is stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the refresh in hand, and waits for that."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def _work(self) -> None:
        failures, logged = 0, ""
        try:
            while not self._stopping.is_set():
                try:
                    due = self._view.refresh_if_due()
                    failures, logged = 0, ""
                except Exception as error:  # noqa: BLE001 - nothing but `stop` ends it
                    failures += 1
                    if str(error) != logged:  # what it stands still for, once and not at each try
                        logged = str(error)
                        logger.error("reporting view %s: %s", self._view.name, error)  # noqa: TRY400 - says all there is
                if failures:
                    self._stopping.wait(backoff(failures))
                elif not self._stopping.wait(REST_SECONDS):
                    self._pause(due)
        finally:
            self._bell.close()

    def _pause(self, due: float | None) -> None:
        """News of the log matter to a view that counts events; others look now and then."""
        seconds = SAFETY_POLL_SECONDS if due is None else max(REST_SECONDS, min(due, SAFETY_POLL_SECONDS))
        if self._view.declared.refresh_events is not None:
            self._bell.wait(seconds)
        else:
            self._stopping.wait(seconds)
