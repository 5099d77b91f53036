"""A process that streams an outbox into a file, until it is killed: `stream_victim URL FILE`."""

import asyncio
import os
import sys
from collections.abc import Sequence

from commands import CloudEvent, Outbox
from commands.brokers.memory import MemoryBroker
from commands.outbox.stream import OutboxStream


class FileBroker(MemoryBroker):
    """Confirms what the disk has."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        for each in events:
            number = each.data.split(b":")[1].split(b",")[0].decode()
            os.write(self._file, f"{each.key} {number}\n".encode())
        return [None] * len(events)


if __name__ == "__main__":
    with Outbox(sys.argv[1], source="/talk", passing=True) as outbox:
        asyncio.run(OutboxStream(outbox, FileBroker(sys.argv[2])).run())
