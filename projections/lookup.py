"""Looking up rows of other projections within a fold, as they were at the event in hand."""

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from projections.projection import Projection

R = TypeVar("R")


class RowLookup(Protocol):
    """What the fold of a composite projection is given, to look up rows of the projections that it names in `reads=`."""

    def get(self, projection: "Projection[R]", key: Any) -> R | None:
        """The row of a projection under a key, with every event up to the one in hand, and none after it; None where there is none.

        Raises:
            DefinitionError: the projection is not one of `reads=`.
        """


class Positioned(RowLookup, Protocol):
    """A lookup that is told which event is in hand."""

    at: int
    """The event's position."""
