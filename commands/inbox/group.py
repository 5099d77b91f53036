"""A group: the consumers that share the messages of a channel by their types."""

from collections.abc import Iterable
from typing import Any

from commands.inbox.consumer import Consumer, Reading
from eventstore import DefinitionError


class Group:
    """Consumers of one group and channel.

    Attributes:
        reading: how they read it.
        consumers: by the name on the wire of the messages that they take.
    """

    def __init__(self, reading: Reading, consumers: Iterable[Consumer[..., Any]]) -> None:
        self.reading = reading
        self.consumers: dict[str, Consumer[..., Any]] = {}
        for each in consumers:
            if each.reading != reading:
                raise DefinitionError(
                    f"consumers {each.name} and {next(iter(self.consumers.values())).name}: both are of group {reading.group!r} on "
                    f"channel {reading.channel!r}, so key= and identify= must be the same; or give one a group= of its own"
                )
            for name in each.messages:
                if (other := self.consumers.setdefault(name, each)) is not each:
                    raise DefinitionError(
                        f"{name} of channel {reading.channel!r} is consumed by {other.name} and by {each.name} in group "
                        f"{reading.group!r}; give one a group= of its own"
                    )


def groups_of(consumers: Any) -> list[Group]:
    """The groups of an inbox.

    Raises:
        DefinitionError: they are no list of consumers, or two contradict each other.
    """
    found: dict[tuple[str, str], list[Consumer[..., Any]]] = {}
    for each in check_consumers(consumers):
        found.setdefault((each.reading.group, each.reading.channel), []).append(each)
    return [Group(members[0].reading, members) for members in found.values()]


def check_consumers(consumers: Any) -> tuple[Consumer[..., Any], ...]:
    """What was given as `consumers=`.

    Raises:
        DefinitionError: it is no list, or something in it is no consumer.
    """
    if not isinstance(consumers, Iterable) or isinstance(consumers, str):
        raise DefinitionError(f"consumers: expected a list of functions under @consumes, got {consumers!r}")
    found: tuple[Any, ...] = tuple(consumers)
    for each in found:
        if not isinstance(each, Consumer):
            raise DefinitionError(f"consumers: expected functions under @consumes, got {each!r}")
    return found
