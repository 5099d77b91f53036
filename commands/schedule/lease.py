"""What a worker has in hand: others leave it alone for some time, which is renewed for as long as it takes."""

import logging
import threading
from types import TracebackType
from typing import Self

from commands.schedule.schedules import Schedules
from eventstore import StoreError

logger = logging.getLogger(__name__)

LEASE_US = 30_000_000
"""How long others leave alone what is in hand, after a sign of life."""
RENEW_SECONDS = 10.0


class Lease:
    """Renewed within a `with` block, in a thread of its own.

    Args:
        schedules: where they are kept.
        owner: who has them in hand; nobody else's name, ever.

    Attributes:
        until_us: until when others leave alone what is taken, microseconds since 1970 UTC.
    """

    def __init__(self, schedules: Schedules, owner: str) -> None:
        self._schedules, self._owner = schedules, owner
        self.until_us = schedules.clock() + LEASE_US
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="eventfold-schedule-lease", daemon=True)

    @property
    def lasts(self) -> bool:
        """Whether others leave it alone still."""
        return self._schedules.clock() < self.until_us

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            until_us = self._schedules.clock() + LEASE_US
            try:
                self._schedules.table.renew(self._owner, until_us)
                self.until_us = until_us
            except StoreError as error:  # until then somebody else may take it, and one of the two stores nothing
                logger.warning("scheduled commands in hand are not kept from others: %s", error)
