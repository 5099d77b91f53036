"""Work that nothing but being stopped ends."""

import logging
import threading
import time
from collections.abc import Callable

from eventstore.subscription import backoff

logger = logging.getLogger(__name__)

WELL_SECONDS = 60.0
"""Who has worked for so long before it failed has not failed again, but anew."""


def until_stopped(work: Callable[[], None], stopping: threading.Event, name: str) -> None:
    """Begins work again, after a pause that grows while it fails again and again.

    Args:
        work: ends when it is stopped, or fails. The same failure in a row is logged once.
        stopping: ends a pause at once.
        name: of who works, for people.
    """
    failures, told = 0, ""
    while not stopping.is_set():
        began = time.monotonic()
        try:
            work()
        except Exception as error:
            if time.monotonic() - began >= WELL_SECONDS:
                failures, told = 0, ""
            failures += 1
            if repr(error) != told:
                told = repr(error)
                logger.exception("%s begins again", name)
            stopping.wait(backoff(failures))
