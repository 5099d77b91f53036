"""Keys that say where their events are, so that the database finds them."""

from typing import Any

import msgspec

from eventstore import DefinitionError, Recorded


class ByTag(msgspec.Struct, frozen=True):
    """A key function: see `by_tag`.

    Attributes:
        name: what stands before the colon.
    """

    name: str

    def __call__(self, recorded: Recorded[Any]) -> list[str]:
        """The values of the event's tags of that name."""
        start = f"{self.name}:"
        return [tag[len(start) :] for tag in recorded.tags if tag.startswith(start)]

    def tag_of(self, key: Any) -> str:
        """The tag that every event has which touches the row under a key."""
        return f"{self.name}:{key}"


def by_tag(name: str) -> ByTag:
    """Keys rows by a tag: an event tagged `course:c-1` and `course:c-2` touches the rows "c-1" and "c-2".

        @projection("courses", key=by_tag("course"))

    Unlike a function of one's own, it tells the database which events touch a row, so that `as_of` reads no others.

    Raises:
        DefinitionError: the name is empty or has a colon.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise DefinitionError(
            f"by_tag: expected what stands before the colon of a tag, as in by_tag('course'), got {name!r}"
        )
    return ByTag(name)
