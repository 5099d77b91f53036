"""A shop that sends mails: reactions for the tests, and what they have sent."""

from typing import Any

from eventfold import (
    Application,
    Event,
    MemoryTable,
    Poison,
    Reaction,
    Recorded,
    SqlTable,
    Struct,
    projection,
    reaction,
)


class Ordered(Event):
    text: str


class Paid(Event):
    cents: int


class Order(Struct, frozen=True):
    order: str
    events: int = 0


@projection("orders")
def orders(row: Order | None, recorded: Recorded[Ordered | Paid]) -> Order:
    return Order(recorded.stream_id, (row.events if row else 0) + 1)


class Post:
    """What was sent, as (stream, version); and what cannot be sent at the moment."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.refused: set[str] = set()
        self.failures = 0

    def send(self, recorded: Recorded[Any]) -> None:
        if recorded.event.text in self.refused:
            self.failures += 1
            raise ConnectionError(f"no such address: {recorded.event.text}")
        self.sent.append((recorded.stream, recorded.version))


IMPATIENT = Poison(attempts=3, pause=0.0)


def mail(post: Post, name: str = "mail", **options: Any) -> Reaction:
    """A reaction that sends each order."""
    options = {"start": "beginning", "poison": IMPATIENT, **options}

    @reaction(name, **options)
    def send(recorded: Recorded[Ordered]) -> None:
        post.send(recorded)

    return send


def open_shop(url: str, *reactions: Reaction, **options: Any) -> Application:
    target = MemoryTable() if url.startswith("memory") else SqlTable("orders")
    return Application(url, projections=[orders.into(target)], reactions=reactions, migrate=True, **options)


def order(app: Application, stream: str, *texts: str) -> None:
    app.store.append(stream, [Ordered(each) for each in texts])
