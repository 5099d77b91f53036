"""Stores in a forked process: the parent's connections are not the child's.

Two processes that speak over one connection get each other's answers, and SQLite loses its locks. So a store that was open
when the process was forked refuses to work in the child, which opens its own.

SQLite also remembers, for the whole process, which locks its connections hold. A child that is forked in the middle of another
thread's transaction takes that over, and would wait for a commit that never comes. So a fork waits for what is being written.
"""

import os
import threading
import weakref
from typing import NoReturn, Protocol

from eventstore.errors import StoreUnavailable

_stores: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_turns: "weakref.WeakSet[threading.Lock | threading.RLock]" = weakref.WeakSet()
_left: list[object] = []
"""What the child must not touch: to collect a connection would be to end it, for the parent too."""
_forking = threading.local()
FORK_SECONDS = 2.0
"""How long a fork waits for a transaction; one that is forked within waits for itself."""


class Forkable(Protocol):
    """What knows how to let go of its connections without closing them."""

    def leave_to_parent(self) -> object:
        """Forgets what belongs to the parent, and returns it."""


class LeftBackend:
    """Stands in the child for a database whose connections are the parent's: refuses whatever is asked."""

    sql = snapshots = None

    def __init__(self, description: str) -> None:
        self.description = description

    def close(self) -> None:
        """Nothing here is the child's to close."""

    def __getattr__(self, _name: str) -> NoReturn:
        raise left(self.description)


def left(description: str) -> StoreUnavailable:
    """The error for what is the parent's."""
    return StoreUnavailable(
        f"{description}: this process was forked after the store was opened, and its connections are the "
        "parent's; nothing was stored. In the child, close the store or the application and open it again."
    )


def watch(store: Forkable) -> None:
    """Makes a store refuse to work in processes forked from now on."""
    _stores.add(store)


def wait_for(turn: "threading.Lock | threading.RLock") -> None:
    """Lets no process be forked while this is held, unless it is for long."""
    _turns.add(turn)


def _begin() -> None:
    _forking.held = [each for each in list(_turns) if each.acquire(timeout=FORK_SECONDS)]


def _go_on() -> None:
    for each in _forking.held:
        each.release()


def _leave() -> None:
    _left.extend([store.leave_to_parent() for store in list(_stores)])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_begin, after_in_parent=_go_on, after_in_child=_leave)
