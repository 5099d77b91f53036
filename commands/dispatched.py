"""What came of one of many commands."""

import msgspec

from commands.command import Command
from commands.receipt import Receipt


class Dispatched(msgspec.Struct, frozen=True):
    """What came of a command.

    Attributes:
        command: the command.
        receipt: where it was handled.
        error: why not, where it was not.
    """

    command: Command
    receipt: Receipt | None = None
    error: Exception | None = None

    def unwrap(self) -> Receipt:
        """The receipt.

        Raises:
            EventfoldError: the command's error.
        """
        if self.receipt is not None:
            return self.receipt
        raise self.error or AssertionError("neither a receipt nor an error")
