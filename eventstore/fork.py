"""Stores in a forked process: the parent's connections are not the child's.

Two processes that speak over one connection get each other's answers, and SQLite loses its locks. So a store that was open
when the process was forked refuses to work in the child, which opens its own.
"""

import os
import weakref
from typing import NoReturn, Protocol

from eventstore.errors import StoreUnavailable

_stores: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_left: list[object] = []
"""What the child must not touch: to collect a connection would be to end it, for the parent too."""


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
        raise StoreUnavailable(
            f"{self.description}: this process was forked after the store was opened, and its connections are the "
            "parent's; nothing was stored. In the child, close the store or the application and open it again."
        )


def watch(store: Forkable) -> None:
    """Makes a store refuse to work in processes forked from now on."""
    _stores.add(store)


def _leave() -> None:
    _left.extend([store.leave_to_parent() for store in list(_stores)])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
