"""What a dispatch returns."""

from typing import Any

import msgspec

from eventstore.token import token_of


class Receipt(msgspec.Struct, frozen=True):
    """Says what a command led to.

    Attributes:
        stream: the first stream written, or the one that was looked at where there was nothing to write.
        version: that stream's version now.
        position: of the last event appended; where nothing was, of the last event seen.
        events: the events, in order; empty where the decision had nothing to say.
        versions: for every stream written, its version now.
    """

    stream: str
    version: int
    position: int
    events: tuple[Any, ...]
    versions: dict[str, int]

    @property
    def token(self) -> str:
        """Opaque text to give to a query as `after=`: the answer then contains this write."""
        return token_of(self.position)
