"""A thread of a worker that does one thing again and again, wakes when there are news, and holds up nobody else."""

import logging
import threading
from collections.abc import Callable

from eventstore import EventStore
from eventstore.signal import Signal, ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff

logger = logging.getLogger(__name__)


class Follower:
    """One such thread. Nothing but `stop` ends it: after an error it waits, longer each time, and tries again.

    Args:
        store: the log.
        name: what it keeps, for the logs.
        step: does the next thing; whether there may be more to do.
        retry_in: seconds until what has failed is to be tried again; None where nothing has.
        close: called, in the thread, at its end.
        rest: the least pause between two steps where there was nothing more to do, in seconds.
        heeds_news: whether news wake it.
        signal: rung when there are news; by default the log's.
    """

    def __init__(
        self,
        store: EventStore,
        name: str,
        step: Callable[[], bool],
        retry_in: Callable[[], float | None],
        close: Callable[[], None] = lambda: None,
        *,
        rest: float = 0.0,
        heeds_news: bool = True,
        signal: Signal | None = None,
    ) -> None:
        self._name, self._step, self._retry_in, self._close = name, step, retry_in, close
        self._rest, self._heeds_news = rest, heeds_news
        self._stopping = threading.Event()
        self._bell = ThreadBell(store.signal if signal is None else signal)
        self._thread = threading.Thread(target=self._work, name=f"eventfold-{name}", daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Works until it is stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after what is in hand, and waits for that."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    def _work(self) -> None:
        failures, told = 0, ""
        try:
            while not self._stopping.is_set():
                try:
                    moved = self._step()
                    failures, told = 0, ""
                except Exception as error:  # noqa: BLE001 - nothing but `stop` ends it
                    failures, moved = failures + 1, False
                    if str(error) != told:  # what it stands still for, once and not at each try
                        told = str(error)
                        logger.warning("%s: %s", self._name, error)
                if failures:
                    self._stopping.wait(backoff(failures))
                elif not moved:
                    self._pause()
        finally:
            self._bell.close()
            self._close()

    def _pause(self) -> None:
        retry = self._retry_in()
        seconds = SAFETY_POLL_SECONDS if retry is None else max(0.01, min(SAFETY_POLL_SECONDS, retry))
        if not self._heeds_news:
            self._stopping.wait(max(self._rest, seconds))
        elif not (self._rest and self._stopping.wait(self._rest)):
            self._bell.wait(seconds)
