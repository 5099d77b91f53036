"""What a broker cannot tell is refused where it is known which one it is."""

import pytest

from eventfold import Application, DefinitionError, Inbox, consumes
from tests.commands.inbox.orders import OrderPlaced


@consumes(group="shipping", identify="position")
def ship(_message: OrderPlaced) -> None:
    """Nothing to do."""


SENTENCE = r"group 'shipping' of channel 'orders': identify=: expected .* got \"position\": RabbitMQ has no positions"


@pytest.mark.parametrize("url", ["amqp://host", "amqps://host"])
def test_positions_are_refused_with_rabbitmq(url: str) -> None:
    with pytest.raises(DefinitionError, match=SENTENCE):
        Application("memory://", consumers=[ship], broker=url)
    with pytest.raises(DefinitionError, match=SENTENCE):
        Inbox("sqlite:///never.db", consumers=[ship], broker=url)


def test_other_brokers_have_them() -> None:
    assert Application("memory://", consumers=[ship], broker="nats://host").parts.consumers == (ship,)
