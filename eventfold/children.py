"""Processes that work side by side on one application, watched over by the one that has started them."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from eventstore.subscription import backoff

logger = logging.getLogger(__name__)

RESTARTS = 5
"""How often one that was killed is started again, before that is taken for more than an accident."""


class Child:
    """One process, and a thread that reads what it says.

    Args:
        arguments: of the command line, from the noun on.
        environment: added to this process's own.
        on_line: called, in that thread, with each line of its stdout.
        forever: start it again whatever has ended it, and not only where it was killed.

    Attributes:
        code: how it ended, once it has.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        on_line: Callable[[bytes], None] = lambda _: None,
        *,
        forever: bool = False,
    ) -> None:
        self._command = [sys.executable, "-m", "eventfold", *arguments]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
        self._on_line = on_line
        self._forever = forever
        self._restarts = 0
        self._stopping, self._ended = threading.Event(), threading.Event()
        self.code: int | None = None
        self._process = self._spawn()
        threading.Thread(target=self._watch, name="eventfold-child", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process as it is now."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is at work, or about to be started again."""
        return not self._ended.is_set()

    def stop(self) -> None:
        """Tells it to end as SIGTERM does, and not to begin again."""
        self._stopping.set()
        self._process.terminate()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until it has ended for good; False where it has not in that time."""
        return self._ended.wait(seconds)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        """In a process group of its own, so that Ctrl-C reaches it through its parent only."""
        return subprocess.Popen(  # noqa: S603 - our own command line
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self._environment, process_group=0
        )

    def _watch(self) -> None:
        try:
            while self._once():
                self._process = self._spawn()
                if self._stopping.is_set():
                    self._process.terminate()
        finally:
            self._ended.set()  # waited for in place of the thread: a signal during `join` makes it look as if it had ended

    def _once(self) -> bool:
        """Hears one process to its end; whether it is to begin again."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker; it is a pipe
        with self._process.stdout as said:
            for line in said:
                self._on_line(line)
        self.code = self._process.wait()
        return not self._stopping.is_set() and self._begins_again(self.code)

    def _begins_again(self, code: int) -> bool:
        """One that was killed by a signal goes on from what it has written."""
        self._restarts += 1
        if not self._forever:
            return code < 0 and self._restarts <= RESTARTS
        logger.warning("process %d ended with code %d and is started again", self.pid, code)
        return not self._stopping.wait(backoff(self._restarts))


def await_all(children: Sequence[Child]) -> None:
    """Waits for all of them; where one fails, or this process is told to end, the others are told to end, too.

    Raises:
        KeyboardInterrupt: this process was told to end; by then all of them have.
    """
    try:
        while any(each.running for each in children):
            for each in children:
                each.wait(0.2 / len(children))
            if any(not each.running and each.code for each in children):
                break
    finally:
        for each in children:
            each.stop()
        for each in children:
            each.wait()


class Orphaned:
    """Tells a child that the process which has started it is gone.

    Args:
        parent: the id of that process, which may be gone before the child comes to ask for it.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __bool__(self) -> bool:
        return os.getppid() != self._parent
