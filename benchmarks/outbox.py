"""What is told to others: an append with a message beside it against one without, and relays to brokers."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from benchmarks.append import EVENT, in_streams
from benchmarks.domain import Deposited
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place
from commands import CloudEvent
from commands.brokers.broker import Broker
from commands.brokers.memory import MemoryBroker
from eventfold import Application, Message, NewMessage, Outbox, Recorded, Relay

MESSAGES = 10_000
KEYS = 500


class DepositBooked(Message, channel="deposits"):
    account: str
    amount: int


def booked(recorded: Recorded[Deposited]) -> DepositBooked:
    return DepositBooked(recorded.stream_id, recorded.event.amount)


@contextmanager
def append(place: Place, _effort: Effort) -> Iterator[Contest]:
    """One event in each transaction, with one message, and without."""
    with ExitStack() as stack:
        told, plain = (
            stack.enter_context(Application(place.new(), events=[Deposited], publish=publish, migrate=True))
            for publish in ({Deposited: booked}, None)
        )
        assert told.outbox.status().sent == 0

        def appending(app: Application) -> Callable[[str, int], None]:
            def append_one(stream: str, version: int) -> None:
                app.store.append(stream, [EVENT], expected=version)

            return append_one

        yield Contest(in_streams(appending(told), 1), in_streams(appending(plain), 1))


def relay_to(open_broker: Callable[[], Broker]) -> Callable[[Place, Effort], AbstractContextManager[Contest]]:
    """A relay to a broker, against the same messages handed over straight from memory."""

    @contextmanager
    def contest(place: Place, _effort: Effort) -> Iterator[Contest]:
        with Outbox(place.new(), migrate=True) as outbox:

            def fill() -> None:
                for _ in range(MESSAGES // KEYS):
                    outbox.send(*[NewMessage(DepositBooked("a", 1), key=str(key)) for key in range(KEYS)])

            def relayed(_count: int) -> int:
                return asyncio.run(_relay(outbox, open_broker))

            events = [outbox.sealed(NewMessage(DepositBooked("a", 1), key=str(n % KEYS))) for n in range(MESSAGES)]

            def straight(_count: int) -> int:
                return asyncio.run(_publish(events, open_broker))

            yield Contest(Contestant(relayed, fill, fixed=True), Contestant(straight, fixed=True))

    return contest


async def _relay(outbox: Outbox, open_broker: Callable[[], Broker]) -> int:
    broker = open_broker()
    try:
        return await Relay(outbox, broker).run_once()
    finally:
        await broker.close()


async def _publish(events: Sequence[CloudEvent], open_broker: Callable[[], Broker]) -> int:
    broker = open_broker()
    try:
        for first in range(0, len(events), 1_000):
            assert not any(await broker.publish(events[first : first + 1_000]))
    finally:
        await broker.close()
    return len(events)


BENCHMARKS = [
    Benchmark(
        "append-outbox",
        "append 1 event with one message for others, of one without",
        "events/s",
        append,
        owed={"sqlite": 0.75, "postgresql": 0.75},
    ),
    Benchmark(
        "relay-memory",
        "relay 10,000 messages to a broker in memory",
        "messages/s",
        relay_to(MemoryBroker),
        slow=True,
    ),
]
