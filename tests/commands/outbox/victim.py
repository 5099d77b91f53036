"""A relay in a process of its own, to be killed: it says each message to its standard output, which is the broker.

python -m tests.commands.outbox.victim URL SEED
"""

import asyncio
import os
import random
import sys
from collections.abc import Sequence

from commands import CloudEvent, Outbox, Relay
from commands.outbox.policy import RelayPolicy


class Pipe:
    """Keeps what reaches the pipe: a line in one write, so that a kill leaves it whole or not at all."""

    description = "pipe"

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        for each in events:
            os.write(1, each.key.encode() + b" " + each.data + b"\n")
            if self._chance.random() < 0.1:
                await asyncio.sleep(0)
        return [None] * len(events)


async def work(url: str, seed: int) -> None:
    relay = Relay(Outbox(url), Pipe(random.Random(seed)), RelayPolicy(batch=11))  # type: ignore[arg-type]  # nobody subscribes
    os.write(1, b"ready\n")
    await relay.run()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
