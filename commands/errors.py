"""The write side's branch of the error tree.

EventfoldError
├── Rejected            a decision refused the command, for a reason of the business
├── NotAuthorised       its sender may not send the command
├── InvalidCommand      fields are missing, unknown, of the wrong type or out of range (an InvalidInput)
├── NoHandler           nothing handles the command (a NotFound)
└── TooManyConflicts    every attempt met a change by somebody else (a Conflict)
"""

from collections.abc import Sequence

from eventstore import Conflict, EventfoldError, InvalidInput, NotFound


class Rejected(EventfoldError):
    """A decision refuses a command. Raise it with a sentence for whoever sent the command; nothing is stored."""

    code = "rejected"
    status = 422


class InvalidCommand(InvalidInput):
    """A command's fields are not acceptable. Nothing was stored.

    Attributes:
        command: the command's name.
        faults: one sentence for each faulty field.
    """

    code = "invalid_command"

    def __init__(self, command: str, faults: Sequence[str]) -> None:
        self.command, self.faults = command, tuple(faults)
        super().__init__(f"{command}: {'; '.join(faults)}")


class NotAuthorised(EventfoldError):
    """Whoever sent a command may not. Nothing was stored.

    Attributes:
        command: the command's name.
        reason: for the sender.
    """

    code = "not_authorised"
    status = 403

    def __init__(self, command: str, reason: str) -> None:
        self.command, self.reason = command, reason
        super().__init__(f"{command}: not allowed: {reason}")


class NoHandler(NotFound):
    """No handler is registered for a command."""

    code = "no_handler"


class TooManyConflicts(Conflict):
    """Every attempt at a command met a change by somebody else. Nothing was stored; dispatch it again later."""

    code = "too_many_conflicts"
