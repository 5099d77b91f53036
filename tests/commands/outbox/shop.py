"""A small shop that tells others of its orders."""

from eventfold import Aggregate, Command, Event, Message, NewMessage, Recorded, handles


class Ordered(Event):
    total: int


class Cancelled(Event):
    pass


class Order(Aggregate[Ordered | Cancelled]):
    total: int = 0

    def evolve(self, event: Ordered | Cancelled) -> "Order":
        return Order(event.total if isinstance(event, Ordered) else 0)


class Place(Command):
    order_id: str
    total: int


class Remind(Command):
    order_id: str


class OrderPlaced(Message, channel="orders", version=2):
    order_id: str
    total: int
    version: int = 0


class Reminder(Message, channel="letters"):
    order_id: str


class Numbered(Message, channel="numbers"):
    n: int


@handles
def place(order: Order, command: Place) -> list[Ordered | Reminder]:
    large = [Reminder(command.order_id)] if command.total > 1_000 else []
    return [Ordered(command.total), *large]


@handles
def remind(order: Order, command: Remind) -> list[Reminder | NewMessage[Reminder]]:
    return [Reminder(command.order_id), NewMessage(Reminder(command.order_id), key="post", subject="second")]


HANDLERS = [place, remind]


def order_placed(recorded: Recorded[Ordered]) -> OrderPlaced | None:
    """Orders of nothing are nobody's business."""
    if recorded.event.total < 0:
        raise ValueError("expected a total of 0 or more")
    return OrderPlaced(recorded.stream_id, recorded.event.total, recorded.version) if recorded.event.total else None


PUBLISH = {Ordered: order_placed}
