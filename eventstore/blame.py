"""Which event last set each field of an aggregate's state."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from eventstore.aggregate import Aggregate, initial
from eventstore.difference import Path, field_of, leaves
from eventstore.history import Step
from eventstore.recorded import Recorded

A = TypeVar("A", bound=Aggregate[Any])


class Blamed(msgspec.Struct, frozen=True):
    """One field of the current state.

    Attributes:
        path: where it stands, down to values that hold no others.
        value: as JSON has it.
        recorded: the last event after which the value was another than before; None where it is the initial one.
    """

    path: Path
    value: Any
    recorded: Recorded[Any] | None

    @property
    def field(self) -> str:
        """The path as text: `address.city`, `lines[2].amount`."""
        return field_of(self.path)


def blame(aggregate: type[A], steps: Iterable[Step[A]]) -> list[Blamed]:
    """The fields of the state after the last step, in their order, each with the event that last set it.

    A place in a list is blamed for whatever stands there: what moved up because something before it was removed was set by
    the removal.

    Args:
        aggregate: the aggregate class.
        steps: its history.
    """
    state: Any = initial(aggregate)
    changed: dict[Path, int] = {}
    changed_below: dict[Path, int] = {}
    events: list[Recorded[Any]] = []
    for number, step in enumerate(steps):
        state = step.state
        events.append(step.recorded)
        for change in step.changes:
            changed[change.path] = number
            changed_below.update(dict.fromkeys(_above(change.path), number))
    found = []
    for path, value in leaves(state):
        last = max(changed_below.get(path, -1), *(changed.get(each, -1) for each in (*_above(path), path)))
        found.append(Blamed(path, value, events[last] if last >= 0 else None))
    return found


def _above(path: Path) -> list[Path]:
    """The paths of everything that holds what stands at `path`."""
    return [path[:length] for length in range(len(path))]
