"""Middleware that puts each command into a span of a trace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from commands.around import Around, Steps
from commands.envelope import Envelope


def trace_commands(start_span: Callable[..., AbstractContextManager[Any]]) -> Around:
    """Handles each command within a span called "dispatch <Command>".

        trace_commands(trace.get_tracer("shop").start_as_current_span)     # OpenTelemetry

    Args:
        start_span: from a name and `attributes=` to a context manager, which sees the error of a command that fails. It must be
            one that may be left in another place than it was entered in, as OpenTelemetry's are.
    """

    def traced(envelope: Envelope) -> Steps:
        name = type(envelope.command).__name__
        attributes = {
            "eventfold.command": name,
            "eventfold.command_id": envelope.command_id,
            "eventfold.correlation_id": envelope.correlation_id,
        }
        with start_span(f"dispatch {name}", attributes=attributes):
            yield envelope
        return None

    return Around(traced, "trace_commands")
