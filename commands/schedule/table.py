"""Where scheduled commands are kept."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from commands.schedule.scheduled import Scheduled, State


class Takes(msgspec.Struct, frozen=True):
    """What an application fires; all else is left to others.

    Attributes:
        commands: the class names of the commands that it handles.
        names: of the schedules that stand in its code.
    """

    commands: tuple[str, ...]
    names: tuple[str, ...]

    def takes(self, row: Scheduled) -> bool:
        """Whether it fires this one."""
        return row.command in self.commands and (not row.declared or row.name in self.names)


class ScheduleCounts(msgspec.Struct, frozen=True):
    """How scheduled commands do.

    Attributes:
        waiting: how many wait, those that are due among them.
        due: how many of them are due.
        failed: how many were refused or given up.
        next_us: when the first that waits is due, or was, microseconds since 1970 UTC; None where none waits.
    """

    waiting: int
    due: int
    failed: int
    next_us: int | None


class ScheduleTable(Protocol):
    """Where they are kept. Instants are microseconds since 1970 UTC; `which` is an id or a name."""

    def keep(self, connection: Connection | None, rows: Sequence[Scheduled]) -> None:
        """Keeps new ones, in a transaction (in one of its own where none is given).

        One whose name is there takes its place, unless that is as it was declared and has not ended. One that has ended and
        stands in an application's code is left as it is, too: somebody has cancelled it.
        """

    def find(self, which: str) -> Scheduled | None:
        """One of them."""

    def page(self, states: Sequence[str], limit: int, after: Scheduled | None = None) -> list[Scheduled]:
        """Those in these states, by when they are due; only those after one, where one is given."""

    def counts(self, now_us: int) -> ScheduleCounts:
        """How they do."""

    def next_look(self, takes: Takes) -> int | None:
        """When a worker is to look at one next; None where there is none."""

    def lease(self, takes: Takes, now_us: int, until_us: int, owner: str, limit: int) -> list[Scheduled]:
        """Takes what is due in hand, so that others leave it alone until then. Each as it is afterwards."""

    def renew(self, owner: str, until_us: int) -> None:
        """Has others leave alone until then what an owner has in hand."""

    def take(self, which: str, until_us: int, owner: str) -> Scheduled | None:
        """Takes one in hand that waits, whenever it is due, or that has failed."""

    def move(self, connection: Connection | None, moves: Sequence[tuple[Scheduled, Scheduled]]) -> int:
        """Puts each row in the place of the one before it, where that still waits at the same instant; returns how many did.

        In a transaction, or in one of its own where none is given, which a power cut may take away.
        """

    def cancel(self, which: str, now_us: int) -> bool:
        """Ends one that waits or has failed; whether there was one."""

    def prune(self, state: State, before_us: int, limit: int) -> int:
        """Forgets up to so many that have ended before in a state; returns how many they were. Those in the code are kept."""

    def forget(self, rows: Sequence[Scheduled], moves: Sequence[tuple[Scheduled, Scheduled]]) -> None:
        """Takes back what was kept and moved in a transaction that is not to be. Only memory is asked for it."""
