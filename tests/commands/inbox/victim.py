"""Consumers that are killed with -9 at seeded moments, over a broker that repeats what it has said.

Run as `python -m tests.commands.inbox.victim URL MESSAGES`: for each line `SEED COME` of its input, a child consumes the messages
that have come by then, until it kills itself; then its exit code is written.
"""

import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import event

from commands.brokers.broker import Delivery, partition_of
from commands.cloud_event import CloudEvent
from eventfold import Consuming, Inbox
from tests.commands.inbox.orders import Faults, placed, shipping

PARTITIONS = 2
KEYS = 7
Pass = Callable[[str], None]


def messages_of(partition: int, total: int) -> list[CloudEvent]:
    """What lies in a partition: the same in every process. Some of it is there twice."""
    chance = random.Random(partition)
    events = [placed(number, f"key-{number % KEYS}") for number in range(total)]
    mine = [each for each in events if partition_of(each.key, PARTITIONS) == partition]
    for place in sorted(chance.sample(range(len(mine)), len(mine) // 20), reverse=True):
        mine.insert(min(len(mine), place + chance.randrange(1, 9)), mine[place])
    return mine


class RepeatingBroker:
    """Keeps everything, and begins at or before the position that it is asked for."""

    description = "repeating"

    def __init__(
        self, total: int, chance: random.Random, passes: Pass = lambda _: None, come: int | None = None
    ) -> None:
        self._total, self._chance, self._passes = total, chance, passes
        self._come = total if come is None else come

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        raise NotImplementedError

    async def partitions(self, channel: str) -> int:
        return PARTITIONS

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> "RepeatingSubscription":
        begin = max(0, int(after or 0) - self._chance.randrange(6))
        messages = messages_of(partition, self._total)
        return RepeatingSubscription(messages[: len(messages) * self._come // self._total], begin, self._passes)

    async def close(self) -> None:
        return


class RepeatingSubscription:
    def __init__(self, events: list[CloudEvent], after: int, passes: Pass) -> None:
        self._events, self._after, self._passes = events, after, passes

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        found = self._events[self._after : self._after + limit]
        deliveries = [Delivery(str(self._after + number), each.data, each) for number, each in enumerate(found, 1)]
        self._after += len(found)
        self._passes("received")
        return deliveries

    async def confirm(self, position: str) -> None:
        self._passes("committed")
        self._passes("confirmed")

    async def close(self) -> None:
        return


PATIENCE = 300
"""So often a process asks for messages at most: where all of them are handled, or wait, its moment may never come."""


class Fate:
    """Kills this process when it comes past a moment for the so-and-so-manieth time."""

    def __init__(self, chance: random.Random) -> None:
        self._moment = chance.choice(["received", "effect", "moved", "commit", "committed", "confirmed"])
        self._left = chance.randrange(1, 40 if self._moment == "effect" else 8)
        self._patience = PATIENCE

    def __call__(self, moment: str) -> None:
        self._left -= moment == self._moment
        self._patience -= moment == "received"
        if not self._left or not self._patience:
            os.kill(os.getpid(), signal.SIGKILL)


class Doomed(Faults):
    def __init__(self, total: int, chance: random.Random, fate: Fate) -> None:
        super().__init__()
        self.left = {chance.randrange(total): chance.randrange(1, 6) for _ in range(total // 15)}
        self._fate = fate

    def strike(self, number: int) -> None:
        self._fate("effect")
        super().strike(number)


def consume_until_killed(url: str, total: int, seed: int, come: int) -> None:
    chance = random.Random(seed)
    fate = Fate(chance)
    consumer = shipping(Doomed(total, chance, fate))
    inbox = Inbox(
        url,
        consumers=[consumer],
        broker=lambda: RepeatingBroker(total, chance, fate, come),  # type: ignore[arg-type, return-value]  # its subscription is another one
        consuming=Consuming(batch=chance.randrange(1, 9), parallel_keys=chance.randrange(1, 4)),
    )
    move = inbox._table.move

    def moved(*args: Any) -> None:
        fate("moved")  # what parts of the batch have done is committed by now, if there were any
        move(*args)

    inbox._table.move = moved  # type: ignore[method-assign]  # a moment to be killed at
    database = inbox._table._database  # type: ignore[attr-defined]  # it is not in memory
    event.listen(database._lasting, "commit", lambda _: fate("commit"))
    worker = inbox.worker()
    worker._lease_seconds = 0.3  # the one before has not let go of its partitions
    worker.run()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            seed, come = map(int, line.split())
            consume_until_killed(sys.argv[1], int(sys.argv[2]), seed, come)
        _, status = os.waitpid(child, 0)
        os.write(1, f"{-status if os.WIFSIGNALED(status) else status}\n".encode())


if __name__ == "__main__":
    main()
