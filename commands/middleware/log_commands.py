"""Middleware that writes a line to the log for each command that was handled."""

import logging
import time

from commands.around import Around, Steps
from commands.envelope import Envelope

LOGGER = logging.getLogger("commands")


def log_commands(logger: logging.Logger = LOGGER, level: int = logging.INFO) -> Around:
    """Logs what each command led to and how long it took. Of one that failed, the bus itself writes a line.

    Neither fields nor events are logged, since they may be secret.

    Args:
        logger: where to.
        level: as `logging` has it.
    """

    def logged(envelope: Envelope) -> Steps:
        began = time.perf_counter()
        receipt = yield envelope
        logger.log(
            level,
            "%s %s led to %d events, %s is at version %d (%.1f ms, conversation %s)",
            type(envelope.command).__name__,
            envelope.command_id,
            len(receipt.events),
            receipt.stream,
            receipt.version,
            (time.perf_counter() - began) * 1e3,
            envelope.correlation_id,
        )
        return None

    return Around(logged, "log_commands")
