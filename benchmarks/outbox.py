"""What is told to others: an append with a message beside it against one without, and relays to brokers."""

import asyncio
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial

import msgspec

from benchmarks.append import EVENT, in_streams
from benchmarks.domain import Deposited
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.place import Place
from commands import CloudEvent
from commands.brokers.broker import Broker
from commands.brokers.memory import MemoryBroker
from commands.brokers.opening import open_broker
from eventfold import Application, Message, NewMessage, Outbox, Recorded, Relay

MESSAGES = 5_000
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


def relay_to(
    brokers: Callable[[], AbstractContextManager[Callable[[], Broker]]],
) -> Callable[[Place, Effort], AbstractContextManager[Contest]]:
    """A relay to a broker, against the same messages handed over straight from memory."""

    @contextmanager
    def contest(place: Place, effort: Effort) -> Iterator[Contest]:
        rounds = min(MESSAGES, effort.log_events) // KEYS
        with brokers() as open_one, Outbox(place.new(), migrate=True) as outbox:

            def fill() -> None:
                for _ in range(rounds):
                    outbox.send(*[NewMessage(DepositBooked("a", 1), key=str(key)) for key in range(KEYS)])

            def relayed(_count: int) -> int:
                return asyncio.run(_relay(outbox, open_one))

            events = [outbox.sealed(NewMessage(DepositBooked("a", 1), key=str(n % KEYS))) for n in range(rounds * KEYS)]

            def straight(_count: int) -> int:
                fresh = [
                    msgspec.structs.replace(each, id=str(uuid.uuid4())) for each in events
                ]  # or they count as repeated
                return asyncio.run(_publish(fresh, open_one))

            yield Contest(Contestant(relayed, fill, fixed=True), Contestant(straight, fixed=True))

    return contest


def in_memory() -> AbstractContextManager[Callable[[], Broker]]:
    return nullcontext(MemoryBroker)


@contextmanager
def nats() -> Iterator[Callable[[], Broker]]:
    from tests.services.nats import NatsServer
    from tests.services.server import open_server

    with open_server(NatsServer) as server:
        yield partial(open_broker, server.url)


@contextmanager
def kafka() -> Iterator[Callable[[], Broker]]:
    from tests.services.kafka import KafkaServer
    from tests.services.server import open_server

    with open_server(KafkaServer) as server:
        yield partial(open_broker, server.url)


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
        "relay 5,000 messages to a broker in memory",
        "messages/s",
        relay_to(in_memory),
        slow=True,
    ),
    *[
        Benchmark(
            f"relay-{name.lower()}",
            f"relay 5,000 messages to {name}, of handing them over from memory",
            "messages/s",
            relay_to(brokers),
            owed={"postgresql": 0.6},
            databases=("postgresql",),
            slow=True,
        )
        for name, brokers in (("NATS", nats), ("Kafka", kafka))
    ],
]
