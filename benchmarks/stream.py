"""Change data capture: from the call that commits a message to the broker that has it."""

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.outbox import DepositBooked
from benchmarks.place import Place
from commands import CloudEvent
from commands.brokers.memory import MemoryBroker
from eventfold import NewMessage, Outbox

WAIT_SECONDS = 30


class Hearing(MemoryBroker):
    """Says at once when it has something."""

    def __init__(self) -> None:
        super().__init__(partitions=1)
        self.heard = threading.Semaphore(0)

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        errors = await super().publish(events)
        self.heard.release(len(events))
        return errors


@contextmanager
def commit_to_broker(_place: Place, _effort: Effort) -> Iterator[Contest]:
    """On a server of its own, since most do not say what is committed."""
    from commands.outbox.stream import OutboxStream
    from tests.services.postgresql import PostgresServer

    with PostgresServer({"wal_level": "logical"}) as server, Outbox(server.create_database(), migrate=True) as outbox:
        broker, numbers = Hearing(), itertools.count()

        def run(count: int) -> int:
            for number in itertools.islice(numbers, count):
                outbox.send(NewMessage(DepositBooked("a", number), key="a"))
                if not broker.heard.acquire(timeout=WAIT_SECONDS):
                    raise TimeoutError(f"message {number} has not come: {stream.error}")
            return count

        stream = OutboxStream(outbox, broker)
        thread = threading.Thread(target=lambda: asyncio.run(stream.run()))
        thread.start()
        try:
            run(1)  # the stream has begun then
            yield Contest(Contestant(run))
        finally:
            stream.stop()
            thread.join()


BENCHMARKS = [
    Benchmark(
        "outbox-stream",
        "a message added to the outbox until the broker has it, by change data capture, p50",
        "ms",
        commit_to_broker,
        owed_ms=10,
        databases=("postgresql",),
    ),
]
