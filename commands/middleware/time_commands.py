"""Middleware that measures how long commands take."""

import time
from collections.abc import Callable

import msgspec

from commands.around import Around, Steps
from commands.envelope import Envelope
from commands.failure import code_of


class Timing(msgspec.Struct, frozen=True):
    """How long a command took.

    Attributes:
        command: the command's name.
        seconds: from here to its receipt, conflicts and pauses included.
        code: of the error that ended it; None where it was handled.
    """

    command: str
    seconds: float
    code: str | None = None


def time_commands(report: Callable[[Timing], object]) -> Around:
    """Reports how long each command took, whether it was handled or failed.

    Args:
        report: called once for each command, in the thread or task that sent it.
    """

    def timed(envelope: Envelope) -> Steps:
        name, began = type(envelope.command).__name__, time.perf_counter()
        try:
            yield envelope
        except Exception as error:
            report(Timing(name, time.perf_counter() - began, code_of(error)))
            raise
        report(Timing(name, time.perf_counter() - began))
        return None

    return Around(timed, "time_commands")
