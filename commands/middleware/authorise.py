"""Middleware that asks whether a command may be sent."""

from collections.abc import Callable

from commands.around import Around, Steps
from commands.envelope import Envelope
from commands.errors import NotAuthorised


def authorise(refusal: Callable[[Envelope], str | None], *, blocking: bool = False) -> Around:
    """Refuses commands that their sender may not send. Who that is usually stands in the envelope's metadata.

    Args:
        refusal: from an envelope to the reason for refusing it, or None.
        blocking: whether it waits for something, such as a database: an async application then runs it in a thread.

    Returns:
        Middleware that raises `NotAuthorised`; nothing is stored then.
    """

    def authorised(envelope: Envelope) -> Steps:
        reason = refusal(envelope)
        if reason is not None:
            raise NotAuthorised(type(envelope.command).__name__, reason)
        yield envelope
        return None

    return Around(authorised, "authorise", blocking=blocking)
