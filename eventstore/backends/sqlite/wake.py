"""Wake-ups between processes that share a SQLite file: a named pipe for each listener, beside the file.

A listener sleeps in the kernel until a byte comes; an announcer opens every pipe of the folder and writes one.
A pipe that nobody reads (its process was killed) refuses to be opened and is removed.

An announcer that finds no listener rests for a moment before it looks again. A listener waits as long before it begins,
so that whatever is announced after that is announced to it.
"""

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from eventstore.identifier import new_id

logger = logging.getLogger(__name__)

SUPPORTED = hasattr(os, "mkfifo")

REST_NS = 2_000_000


class WakePipes:
    """The folder of pipes beside one database file."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(f"{database.name}-wake")
        self._path = str(self._folder)
        self._own: set[str] = set()
        self._rests_until = 0

    def announce(self) -> None:
        """Wakes the listeners of all other processes."""
        now = time.monotonic_ns()
        if now < self._rests_until:
            return
        others = self._others()
        for name in others:
            self._ring(self._folder / name)
        if not others:
            self._rests_until = now + REST_NS

    def _others(self) -> list[str]:
        if not os.access(self._path, os.F_OK):  # the usual case, nobody else listens, costs one system call
            return []
        try:
            names = os.listdir(self._path)  # noqa: PTH208 - often: a list of texts is cheapest
        except OSError:
            return []
        return [name for name in names if name not in self._own and not name.startswith(".")]

    def _ring(self, pipe: Path) -> None:
        """Whatever goes wrong stays here: the events are stored, and a listener that is not woken looks by itself, soon."""
        try:
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads it any more
                with suppress(OSError):
                    pipe.unlink()
            return
        try:
            os.write(handle, b"!")
        except OSError:
            pass  # full of wake-ups that nobody has looked at yet, or its reader has gone just now
        finally:
            os.close(handle)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` from a thread at every announcement. Returns what ends it.

        Where no pipe can be made beside the file (a folder that is only read), nothing wakes, and readers look by themselves.
        """
        if not SUPPORTED:
            return lambda: None
        name = new_id()
        pipe = self._folder / name
        try:
            handle = self._make(pipe)
        except OSError as error:
            logger.warning("no wake-ups from other processes, readers look now and then instead: %s", error)
            return lambda: None
        self._own.add(name)
        stop_reader, stop_writer = os.pipe()
        thread = threading.Thread(target=_pump, args=(handle, stop_reader, wake), name="eventfold-wake", daemon=True)
        thread.start()
        time.sleep(REST_NS / 1e9)

        def stop() -> None:
            os.close(stop_writer)
            thread.join()
            for each in (handle, stop_reader):
                os.close(each)
            pipe.unlink(missing_ok=True)
            self._own.discard(name)
            self._remove_folder()

        return stop

    def _make(self, pipe: Path) -> int:
        """A new pipe, visible only once it can be read."""
        hidden, made = pipe.with_name(f".{pipe.name}"), False
        while not made:
            self._folder.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # the last listener of all has just taken the folder away
                os.mkfifo(hidden, 0o600)
                made = True
        handle = os.open(hidden, os.O_RDWR | os.O_NONBLOCK)
        hidden.rename(pipe)
        return handle

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
