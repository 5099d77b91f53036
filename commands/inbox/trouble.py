"""What keeps parts of a consumer process from their work: logged once, and not for each part and each try."""

import logging

from commands.errors import BrokerError
from eventstore import StoreError

logger = logging.getLogger(__name__)


class Trouble:
    """Of one process, in one event loop."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def met(self, where: str, error: Exception) -> None:
        """A part of the work waits. Logged unless another part, or this one, has met the same and waits."""
        if str(error) not in self._errors.values():
            expected = isinstance(error, (BrokerError, StoreError))
            logger.warning("%s waits: %s", where, error, exc_info=None if expected else error)
        self._errors[where] = str(error)

    def over(self, where: str) -> None:
        """A part of the work goes on, or was given up. Logged where nothing waits any more."""
        if self._errors.pop(where, None) is not None and not self._errors:
            logger.warning("%s goes on, and so does all else", where)
