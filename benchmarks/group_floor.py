"""The least code that lets many callers share transactions: they hand rows to one thread, and wait."""

import asyncio
import threading
from queue import Empty, SimpleQueue
from typing import Any

from benchmarks.raw import NewRow, RawLog


class GroupFloor:
    """Commits whatever has gathered while the last commit was under way."""

    def __init__(self, raw: RawLog) -> None:
        self._raw = raw
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def append(self, row: NewRow) -> None:
        """For threads."""
        done = threading.Lock()
        done.acquire()
        self._queue.put((row, done))
        done.acquire()

    async def append_async(self, row: NewRow) -> None:
        """For tasks of one loop."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((row, future))
        await future

    def close(self) -> None:
        """Ends the thread."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            try:
                while True:
                    group.append(self._queue.get_nowait())
            except Empty:
                pass
            self._raw.append_rows([row for row, _ in group])
            waiting = [each for _, each in group]
            if isinstance(waiting[0], asyncio.Future):
                waiting[0].get_loop().call_soon_threadsafe(_resolve, waiting)
            else:
                for each in waiting:
                    each.release()


def _resolve(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        future.set_result(None)
