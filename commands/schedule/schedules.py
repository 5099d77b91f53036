"""The schedules of a log: what is to be dispatched, and when. Marked as fired in the transaction of the append that it leads to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection

from commands.clock import now_us
from commands.command import Command
from commands.pruning import prune_all
from commands.schedule.fire import Fire
from commands.schedule.schedule import Schedule
from commands.schedule.scheduled import Carried, Scheduled, State
from commands.schedule.table import ScheduleCounts, ScheduleTable
from commands.schedule.when import When
from eventstore import EventStore, InvalidInput, NotFound, Unsupported
from eventstore.backend import WriteRequest
from eventstore.bounds import check_instant
from eventstore.companion import Insert, Stored
from eventstore.identifier import new_id
from eventstore.joined_transaction import OpenTransaction, after_commit, joined
from eventstore.same_database import check_same
from eventstore.signal import Signal

ALL = 2**62
KEEP_US = 7 * 24 * 60 * 60 * 1_000_000
"""How long what was done or cancelled can be seen."""
KEEP_FAILED_US = 90 * 24 * 60 * 60 * 1_000_000
"""How long what has failed can be seen, and tried again."""


class Schedules:
    """A companion of the log; see `eventstore.companion.Companion`.

    Attributes:
        table: where they are kept.
        clock: tells the instant, microseconds since 1970 UTC. Tests move it.
        signal: rung when this process has scheduled something.
    """

    def __init__(self, store: EventStore, table: ScheduleTable, clock: Callable[[], int] = now_us) -> None:
        self.table = table
        self.clock = clock
        self.signal = Signal()
        self._store = store

    def row(self, command: Command, carried: Carried, when: When, *, declared: bool = False) -> Scheduled:
        """A command with when it is due, not kept yet. See `Application.schedule`.

        Raises:
            InvalidInput: an argument is not acceptable.
            Unsupported: the library that reads cron expressions is not installed.
        """
        now = self.clock()
        recurrence, due = when.recurrence(), when.due_us(now)
        if recurrence is not None and carried.idempotency_key is not None:
            raise InvalidInput(
                f"idempotency_key: expected none where a command recurs, got {carried.idempotency_key!r}: it would be done once"
            )
        return Scheduled(
            id=new_id(),
            command=type(command).__name__,
            data=msgspec.json.encode(command).decode(),
            carried=_checked(carried),
            name=when.name,
            declared=declared,
            recurrence=recurrence,
            missed=when.missed,
            due_us=due,
            look_us=due,
            made_us=now,
        )

    def keep(self, *rows: Scheduled, connection: OpenTransaction | None = None) -> None:
        """Keeps them, all or none: in a transaction that the caller has open, or at once.

        Raises:
            Unsupported: the log is in memory, and there is no transaction to share.
            InvalidInput: the connection is to another database.
        """
        if connection is None:
            self.table.keep(None, rows)
            self.signal.ring()
            return
        database = self._store.backend.sql
        if database is None:
            raise Unsupported(
                "memory: there is no transaction to schedule in; use SQLite or PostgreSQL, or leave out connection="
            )
        inner = joined(connection)
        check_same(database, inner)
        self.table.keep(inner, rows)
        after_commit(inner, self.signal.ring)

    def declare(self, declared: Iterable[Schedule]) -> None:
        """Keeps what an application's code declares; nothing is written where that is there already."""
        for each in declared:
            row = self.row(each.command, Carried(metadata=each.metadata), each.when, declared=True)
            kept = self.table.find(each.name)
            if kept is None or kept.declaration != row.declaration:
                self.table.keep(None, [row])

    def get(self, which: str) -> Scheduled:
        """One by its id or name.

        Raises:
            NotFound: there is none, or it has ended long ago.
        """
        found = self.table.find(which)
        if found is None:
            raise NotFound(f"no scheduled command has the id or name {which!r}; it was never made, or ended long ago")
        return found

    def page(self, states: Sequence[State] = (), limit: int | None = None) -> list[Scheduled]:
        """Those in these states (all by default), by when they are due."""
        return self.table.page(states or get_args(State), limit if limit is not None else ALL)

    def counts(self) -> ScheduleCounts:
        """How many wait, are due, and have failed."""
        return self.table.counts(self.clock())

    def cancel(self, which: str) -> bool:
        """Ends one that waits or has failed: it is never dispatched any more.

        Returns:
            False where it was done already, or cancelled before.

        Raises:
            NotFound: there is none of that id or name.
        """
        if self.table.cancel(which, self.clock()):
            return True
        self.get(which)
        return False

    def prune(self) -> int:
        """Forgets what was done or cancelled a week ago, and what has failed 90 days ago; returns how many they were."""
        now, pruned = self.clock(), 0
        kept: dict[State, int] = {"done": KEEP_US, "cancelled": KEEP_US, "failed": KEEP_FAILED_US}
        for state, keep_us in kept.items():
            pruned += prune_all(partial(self.table.prune, state), now - keep_us)
        return pruned

    def concerns(self, request: WriteRequest) -> bool:
        """Whether the append fires something, or schedules something."""
        return any(isinstance(each, (Fire, Scheduled)) for each in request.beside)

    def inserts(self, request: WriteRequest) -> Sequence[Insert] | None:
        """None: what was scheduled before may have to make room, or to be marked."""
        return None

    def types(self, _requests: Sequence[WriteRequest]) -> Iterable[str]:
        """None: they are kept in any order."""
        return ()

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Marks what was fired, and keeps what was scheduled.

        Raises:
            NotDue: something was cancelled, or fired by somebody else.
        """
        rows, fires = _beside(stored)
        for fire in sorted(fires, key=lambda each: each.before.id):  # so that nobody waits in a circle
            fire.mark(connection)
        if rows:
            self.table.keep(connection, rows)

    def forget(self, stored: Sequence[Stored]) -> None:
        """Takes it back."""
        rows, fires = _beside(stored)
        self.table.forget(rows, [(each.before, each.after) for each in fires])


def _beside(stored: Sequence[Stored]) -> tuple[list[Scheduled], list[Fire]]:
    items = [item for each in stored for item in each.request.beside]
    return [each for each in items if isinstance(each, Scheduled)], [each for each in items if isinstance(each, Fire)]


def _checked(carried: Carried) -> Carried:
    """As it reads back.

    Raises:
        InvalidInput: it would not.
    """
    metadata: Any = carried.metadata
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidInput(f"metadata: expected a dict, got {metadata!r}")
    if carried.occurred_at is not None:
        check_instant("occurred_at", carried.occurred_at)
    try:
        return msgspec.json.decode(msgspec.json.encode(carried), type=Carried)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"metadata: expected what JSON can hold, got {metadata!r}: {error}") from error
