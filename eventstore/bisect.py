"""The first event after which a condition holds."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from eventstore.aggregate import Aggregate
from eventstore.errors import InvalidInput
from eventstore.expression import compile_condition
from eventstore.history import Step

A = TypeVar("A", bound=Aggregate[Any])


def bisect(steps: Iterable[Step[A]], condition: str | Callable[[A], bool]) -> Step[A] | None:
    """The first step after which the condition holds, looking at every one of them from the oldest on.

    Not a binary search: a balance may fall below zero and recover, and then again. The answer is the first time, also where
    the condition does not hold any more, or where it held already before the first event.

    Args:
        steps: a history.
        condition: an expression over `state`, or a function of the state.

    Returns:
        The step; None where the condition holds after none.

    Raises:
        InvalidInput: the expression cannot be read, or cannot be answered for a state; the error names which.
    """
    holds = compile_condition(condition) if isinstance(condition, str) else condition
    for step in steps:
        try:
            found = holds(step.state)
        except InvalidInput as error:
            at = step.recorded
            raise InvalidInput(f"{error} (after version {at.version} of {at.stream!r}, {at.type})") from error
        if found:
            return step
    return None
