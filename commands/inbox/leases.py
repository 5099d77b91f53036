"""Leases: which consumer process reads which partitions, shared evenly among those that are alive.

They spare double work, and nothing more: two that read one partition at the same time do no harm, since a lane is moved only by
whoever knows where it stands.
"""

import os
import socket
import uuid

from commands.inbox.table import InboxTable

LEASE_SECONDS = 10.0
"""How long a consumer process may be silent before others take over."""
_PARTS = 5
"""A lease is renewed so many times before it would end."""
_HUNGRY_SECONDS = 0.25
"""How soon one looks again that has less than its share."""


class Leases:
    """Of one process, over the partitions of a channel.

    Args:
        table: of the inbox.
        group: who reads.
        channel: what.
        name: of the process; nobody else's, ever.
        seconds: how long a lease lasts unless it is renewed.

    Attributes:
        due_in: seconds until it is time to call `keep` again.
        hungry: whether it has less than its share.
    """

    def __init__(self, table: InboxTable, group: str, channel: str, name: str, seconds: float) -> None:
        self._table, self._whose, self._name, self._seconds = table, (group, channel), name, seconds
        self.due_in, self.hungry = 0.0, True

    def keep(self, partitions: int) -> set[int]:
        """Shows that this process is alive, lets go of what is too much and takes what is free; the partitions that it has."""
        table, name, seconds = self._table, self._name, self._seconds
        alive = table.beat(*self._whose, name, seconds)
        owners = table.owners(*self._whose)
        mine = [number for number in range(partitions) if owners.get(number) == name]
        free = [number for number in range(partitions) if number not in owners]
        share = _share(partitions, alive, name)
        table.release(*self._whose, mine[share:], name)
        table.lease(*self._whose, [*mine[:share], *free[: max(0, share - len(mine))]], name, seconds)
        found = {
            number for number, owner in table.owners(*self._whose).items() if owner == name and number < partitions
        }
        self.hungry = len(found) < share
        self.due_in = _HUNGRY_SECONDS if self.hungry else seconds / _PARTS
        return found

    def release(self) -> None:
        """Lets go of everything, so that others need not wait for the leases to end."""
        self._table.leave(*self._whose, self._name)


def reader_name() -> str:
    """A name for a consumer process that nobody else has, ever."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _share(partitions: int, alive: list[str], name: str) -> int:
    """How many partitions a process should have: all get the same number, and the first ones what is left over."""
    each, left = divmod(partitions, len(alive))
    return each + (alive.index(name) < left)
