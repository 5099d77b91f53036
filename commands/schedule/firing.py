"""Dispatches what is due, for one application."""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from commands.command import Command, read_command
from commands.envelope import Envelope
from commands.errors import IdempotencyConflict, NoHandler, NotAuthorised, NotDue, Rejected
from commands.failure import plain
from commands.schedule.fire import Fire, failed, fire_of, let_go, out_of_turn, skipped
from commands.schedule.lease import Lease
from commands.schedule.scheduled import Scheduled
from commands.schedule.schedules import Schedules
from commands.schedule.table import Takes
from eventstore import InvalidInput
from eventstore.identifier import new_id
from eventstore.recorded import to_datetime

logger = logging.getLogger(__name__)

AT_ONCE = 16
"""How many are taken in hand together."""

LASTING = (Rejected, InvalidInput, NotAuthorised, IdempotencyConflict)
"""What would be refused again: it is not tried again."""

Send: TypeAlias = Callable[[Envelope], object]
Move: TypeAlias = tuple[Scheduled, Scheduled]


class Firing:
    """Takes due commands in hand, a few at a time, dispatches them one after the other, and notes what came of them.

    Others leave alone what is in hand, however long it takes. A command that stores events is marked in their transaction:
    whatever happens to this process, nobody stores them again. What has stored nothing is marked afterwards.

    Args:
        schedules: where they are kept.
        commands: the command classes that the application handles, by name.
        names: of the schedules that stand in its code.
        send: dispatches.
        going: whether to go on; asked before each one.
    """

    def __init__(
        self,
        schedules: Schedules,
        commands: Mapping[str, type[Command]],
        names: tuple[str, ...],
        send: Send,
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        self._schedules, self._table = schedules, schedules.table
        self._commands, self._send, self._going = commands, send, going
        self._takes = Takes(tuple(commands), names)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-8:]}"
        self._look_us: int | None = None

    def step(self) -> int:
        """Dispatches the next few that are due; how many they were, 0 where none is."""
        now = self._schedules.clock()
        self._look_us = self._table.next_look(self._takes)
        if self._look_us is None or self._look_us > now:
            return 0
        with Lease(self._schedules, self._owner) as lease:
            rows = self._table.lease(self._takes, now, lease.until_us, self._owner, AT_ONCE)
            moves = [self._fire(each) if self._going() and lease.lasts else (each, let_go(each)) for each in rows]
        self._table.move(None, [each for each in moves if each is not None])
        return len(rows)

    def due_in(self) -> float | None:
        """Seconds until a worker is to look again, as it was known at the last step; None where nothing waits."""
        return None if self._look_us is None else max(0.0, (self._look_us - self._schedules.clock()) / 1e6)

    def now(self, which: str) -> Scheduled:
        """Dispatches one at once, whenever it is due; also one that has failed. One that recurs stays due when it was.

        Returns:
            The row as it is afterwards: `failed`, or with an `error`, where the command was refused.

        Raises:
            NotFound: there is none of that id or name.
            NoHandler: the application does not handle the command.
        """
        now = self._schedules.clock()
        command = self._schedules.get(which).command
        if command not in self._commands:
            raise NoHandler(
                f"nothing handles {command}, which is scheduled as {which!r}; pass its handler to the Application"
            )
        with Lease(self._schedules, self._owner) as lease:
            row = self._table.take(which, lease.until_us, self._owner)
            move = None
            if row is not None:
                move = self._dispatch(out_of_turn(row, now, self._table), recurs=row.recurrence is not None)
        if move is not None:
            self._table.move(None, [move])
        return self._schedules.get(which)

    def _fire(self, row: Scheduled) -> Move | None:
        now = self._schedules.clock()
        fire = fire_of(row, now, self._table)
        if fire is None:
            logger.info("%s: what was missed is skipped", row.name)
            return row, skipped(row, now)
        return self._dispatch(fire)

    def _dispatch(self, fire: Fire, *, recurs: bool = False) -> Move | None:
        """What becomes of the row; None where somebody else has seen to it."""
        row = fire.before
        try:
            self._send(self._envelope(fire))
        except NotDue:
            return None
        except Exception as error:  # noqa: BLE001 - kept beside the command, for whoever looks after it
            logger.warning("%s %s: %s", row.command, row.name or row.id, plain(str(error)))
            return row, failed(fire, error, self._schedules.clock(), lasting=recurs or isinstance(error, LASTING))
        return row, fire.after

    def _envelope(self, fire: Fire) -> Envelope:
        row, carried = fire.before, fire.before.carried
        command = read_command(self._commands[row.command], msgspec.json.decode(row.data))
        command_id, metadata = new_id(), {"due_at": to_datetime(fire.due_us).isoformat(), **(carried.metadata or {})}
        return Envelope(
            command,
            command_id,
            carried.correlation_id or command_id,
            carried.causation_id or row.id,
            carried.occurred_at,
            metadata,
            carried.idempotency_key,
            (fire,),
        )
