"""Refuses consumers that go by positions where the broker has none."""

from collections.abc import Iterable

from commands.brokers.opening import BrokerSource
from commands.inbox.group import Group
from eventstore import DefinitionError


def check_positions(groups: Iterable[Group], broker: BrokerSource | None) -> None:
    """Whether the broker, where its URL says which it is, can tell what the consumers go by.

    Raises:
        DefinitionError: one tells messages apart by their positions, and RabbitMQ has none.
    """
    if not isinstance(broker, str) or broker.partition("://")[0] not in {"amqp", "amqps"}:
        return
    for each in groups:
        if each.reading.identify == "position":
            raise DefinitionError(
                f'group {each.reading.group!r} of channel {each.reading.channel!r}: identify=: expected "event" or a function, got '
                '"position": RabbitMQ has no positions. A function of the message may tell it apart, as in '
                "identify=lambda event: event.headers['number']"
            )
