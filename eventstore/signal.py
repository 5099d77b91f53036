"""Wakes whoever waits for news of the log: threads and asyncio tasks of this process."""

import asyncio
import threading
from collections.abc import Callable


class Signal:
    """A bell with any number of listeners. Ringing it often before a listener looks wakes that listener once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()

    def ring(self) -> None:
        """Wakes every listener."""
        for wake in self._listeners:
            wake()

    def add(self, wake: Callable[[], None]) -> None:
        """Adds a listener; `wake` is called from any thread, and must return at once."""
        with self._lock:
            self._listeners = (*self._listeners, wake)

    def remove(self, wake: Callable[[], None]) -> None:
        """Takes a listener away."""
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not wake)


class ThreadBell:
    """A listener that a thread waits on."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._event = threading.Event()
        self._wake = self._event.set
        signal.add(self._wake)

    def wait(self, seconds: float) -> bool:
        """Waits until the bell has rung since the last wait; False if `seconds` passed first."""
        rung = self._event.wait(seconds)
        self._event.clear()
        return rung

    def ring(self) -> None:
        """Wakes this listener only."""
        self._event.set()

    def close(self) -> None:
        """Stops listening."""
        self._signal.remove(self._wake)


class TaskBell:
    """A listener that an asyncio task waits on."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._wake = self._wake_from_thread
        signal.add(self._wake)

    def _wake_from_thread(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self.close()

    async def wait(self, seconds: float) -> bool:
        """Waits until the bell has rung since the last wait; False if `seconds` passed first."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._event.clear()
        return True

    def ring(self) -> None:
        """Wakes this listener only; may be called from any thread."""
        self._wake_from_thread()

    def close(self) -> None:
        """Stops listening."""
        self._signal.remove(self._wake)
