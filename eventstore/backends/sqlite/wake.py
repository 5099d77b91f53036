"""Wake-ups between processes that share a SQLite file: a named pipe for each listener, beside the file.

A listener sleeps in the kernel until a byte comes; an announcer opens every pipe of the folder and writes one.
A pipe that nobody reads (its process was killed) refuses to be opened and is removed.
"""

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from eventstore.identifier import new_id

SUPPORTED = hasattr(os, "mkfifo")


class WakePipes:
    """The folder of pipes beside one database file."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(f"{database.name}-wake")
        self._path = str(self._folder)
        self._own: set[str] = set()

    def announce(self) -> None:
        """Wakes the listeners of all other processes."""
        if not os.access(self._path, os.F_OK):  # the usual case, nobody else listens, costs one system call
            return
        try:
            names = os.listdir(self._path)  # noqa: PTH208 - on every append: a list of texts is cheapest
        except OSError:
            return
        for name in names:
            if name not in self._own and not name.startswith("."):
                self._ring(self._folder / name)

    def _ring(self, pipe: Path) -> None:
        try:
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        except OSError:  # ENXIO: nobody reads it any more
            pipe.unlink(missing_ok=True)
            return
        try:
            os.write(handle, b"!")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups that nobody has looked at yet: one more says nothing new
        finally:
            os.close(handle)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` from a thread at every announcement. Returns what ends it."""
        if not SUPPORTED:
            return lambda: None
        self._folder.mkdir(exist_ok=True)
        name = new_id()
        hidden, pipe = self._folder / f".{name}", self._folder / name
        os.mkfifo(hidden, 0o600)
        handle = os.open(hidden, os.O_RDWR | os.O_NONBLOCK)
        self._own.add(name)
        hidden.rename(pipe)  # visible only once it can be read
        stop_reader, stop_writer = os.pipe()
        thread = threading.Thread(target=_pump, args=(handle, stop_reader, wake), name="eventfold-wake", daemon=True)
        thread.start()

        def stop() -> None:
            os.close(stop_writer)
            thread.join()
            for each in (handle, stop_reader):
                os.close(each)
            pipe.unlink(missing_ok=True)
            self._own.discard(name)
            self._remove_folder()

        return stop

    def _remove_folder(self) -> None:
        try:
            self._folder.rmdir()
        except OSError:
            return  # others listen still


def _pump(handle: int, stop: int, wake: Callable[[], None]) -> None:
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    poller.register(stop, select.POLLIN | select.POLLHUP)
    while True:
        ready = [number for number, _ in poller.poll()]
        if stop in ready:
            return
        try:
            os.read(handle, 65536)
        except BlockingIOError:
            continue
        wake()
