"""An application that consumes orders, for the tests of the command line. It fails on what weighs too much."""

import os

from eventfold import Application, Consuming, Event, Message, Received, RetryPolicy, consumes


class OrderPlaced(Message, channel="orders"):
    order_id: str
    weight: int


class Shipped(Event):
    weight: int


class Strength:
    """How much can be carried: changed by a test, or for a process by its environment."""

    kilos = int(os.environ.get("SHIPPING_KILOS", "10"))


@consumes(group="shipping", retry=RetryPolicy(attempts=1))
def ship(message: OrderPlaced, received: Received) -> None:
    if message.weight > Strength.kilos:
        raise ValueError(f"{message.weight} kg are too much")
    received.append(f"shipment-{message.order_id}", [Shipped(message.weight)])


app = Application(
    "sqlite:///shipping.db",
    consumers=[ship],
    broker="memory://cli-shipping",
    events=[Shipped],
    consuming=Consuming(batch=10),
)
