"""What is said of what has failed: where everybody reads it, no value of a field; where it is kept, what any database can keep."""

from commands.errors import InvalidCommand
from eventstore import EventfoldError


def code_of(error: BaseException) -> str:
    """A short stable name for what went wrong."""
    return error.code if isinstance(error, EventfoldError) else type(error).__name__


def told(error: BaseException) -> str:
    """What went wrong; of faulty fields, their names."""
    if not isinstance(error, InvalidCommand):
        return code_of(error)
    fields = dict.fromkeys(fault.partition(":")[0] for fault in error.faults if ":" in fault)
    return f"{error.code} ({', '.join(fields)})" if fields else error.code


def plain(text: str) -> str:
    """The text of an error as every database can keep it: without NUL, and without half a character."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
