"""Wrong values in plain words: the library that reads the command line speaks of what it validates with."""

import re

_WORDS = (
    (r"^Input should be greater than or equal to (\S+)$", r"expected \1 or more"),
    (r"^Input should be less than or equal to (\S+)$", r"expected \1 or less"),
    (r"^Input should be a valid integer.*$", "expected a whole number"),
    (r"^Value error, (.*?)\.?$", r"\1"),
)


def plain_words(message: str) -> str:
    """The message of the library as this command line would say it; any other as it is."""
    for said, meant in _WORDS:
        if re.match(said, message, re.DOTALL):
            return re.sub(said, meant, message, flags=re.DOTALL)
    return message
