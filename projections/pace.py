"""How fast a rebuild may go."""

import time


class Pace:
    """Holds whoever reads events back to a rate.

    Args:
        max_rate: events a second; None for no limit.
    """

    def __init__(self, max_rate: float | None) -> None:
        self._max_rate = max_rate
        self._free_at = time.monotonic()

    def page(self, size: int) -> int:
        """How many events to read at once: no more than a quarter of a second's, so that the load is even."""
        return size if self._max_rate is None else max(1, min(size, int(self._max_rate / 4)))

    def went_by(self, events: int) -> None:
        """Waits until as many events may have gone by."""
        if self._max_rate is None:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 1.0) + events / self._max_rate
        if self._free_at > now:
            time.sleep(self._free_at - now)
