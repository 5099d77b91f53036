"""Middleware that is shipped for consumers."""

import logging
import time
from collections.abc import Callable

import msgspec

from commands.failure import code_of
from commands.inbox.chain import ConsumerMiddleware, Next
from commands.inbox.received import Received

LOGGER = logging.getLogger("commands.inbox")


class MessageTiming(msgspec.Struct, frozen=True):
    """How long a consumer took.

    Attributes:
        group: its group.
        type: of the message.
        seconds: that it took, without the transaction's end.
        code: of the error that ended it; None where it succeeded.
    """

    group: str
    type: str
    seconds: float
    code: str | None = None


def log_messages(logger: logging.Logger = LOGGER, level: int = logging.INFO) -> ConsumerMiddleware:
    """Logs each message that was handled, and how long that took. Of one that fails, the inbox itself writes a line.

    Neither fields nor headers are logged, since they may be secret. A message whose transaction is repeated is logged again.

    Args:
        logger: where to.
        level: as `logging` has it.
    """

    def log_messages(received: Received, call_next: Next) -> None:
        began = time.perf_counter()
        call_next(received)
        taken = (time.perf_counter() - began) * 1e3
        names = received.group, received.type, received.id, received.source, taken
        logger.log(level, "group %s handled %s %s of %s (%.1f ms)", *names)

    return log_messages


def time_messages(report: Callable[[MessageTiming], object]) -> ConsumerMiddleware:
    """Reports how long each message took, whether it was handled or failed.

    Args:
        report: called once for each attempt, in the thread that handles it.
    """

    def time_messages(received: Received, call_next: Next) -> None:
        began, code = time.perf_counter(), None
        try:
            call_next(received)
        except Exception as error:
            code = code_of(error)
            raise
        finally:
            report(MessageTiming(received.group, received.type, time.perf_counter() - began, code))

    return time_messages
