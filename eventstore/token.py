"""Consistency tokens: opaque, sortable text that says "as new as this write"."""

import re

from eventstore.errors import InvalidInput

_MARK = "ef1"
_DIGITS = 16
_FORM = re.compile(f"{_MARK}[0-7][0-9a-f]{{{_DIGITS - 1}}}")


def token_of(position: int) -> str:
    """The token of a position in the log. Of two tokens of one log, the greater text is the later write."""
    return f"{_MARK}{position:0{_DIGITS}x}"


def position_of(token: str) -> int:
    """The position that a token stands for.

    Raises:
        InvalidInput: it is not a token of Eventfold.
    """
    if not isinstance(token, str) or _FORM.fullmatch(token) is None:
        raise InvalidInput(f"token: expected the token of a receipt, got {token!r}")
    return int(token.removeprefix(_MARK), 16)
