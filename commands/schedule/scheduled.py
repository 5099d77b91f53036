"""A scheduled command, as it is kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from commands.schedule.recurrence import Missed, Recurrence
from eventstore.recorded import to_datetime

State: TypeAlias = Literal["waiting", "done", "failed", "cancelled"]


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels beside the command; see `commands.envelope.Envelope`."""

    correlation_id: str | None = None
    causation_id: str | None = None
    occurred_at: datetime | None = None
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled command. Instants are microseconds since 1970 UTC; `due_at` is a datetime.

    Attributes:
        id: a UUID; the events that the command leads to carry it as their causation id where no other was said.
        command: the command's class name.
        data: its fields as JSON.
        carried: what travels beside it.
        name: of one that recurs.
        declared: whether it stands in an application's code (`Application(schedules=...)`), and is left alone by others.
        recurrence: when it comes again; None where it comes once.
        missed: what is done about instants that have passed while no worker was at work.
        state: `waiting`, `done`, `failed` (see `error`) or `cancelled`. One that recurs waits again after each instant.
        due_us: when it is due, or was.
        look_us: when a worker looks at it: when it is due, is to be tried again, or the time of whoever has it in hand is over.
        made_us: when it was scheduled.
        owner: the worker that has it in hand.
        attempts: how often it has failed at this instant.
        fired: how often it was dispatched with success.
        error: what the last failure was; None after a success.
        ended_us: when it was done, had failed, or was cancelled.
    """

    id: str
    command: str
    data: str
    due_us: int
    look_us: int
    made_us: int
    carried: Carried = Carried()
    name: str | None = None
    declared: bool = False
    recurrence: Recurrence | None = None
    missed: Missed = "latest"
    state: State = "waiting"
    owner: str | None = None
    attempts: int = 0
    fired: int = 0
    error: str | None = None
    ended_us: int | None = None

    @property
    def due_at(self) -> datetime:
        """When it is due, or was."""
        return to_datetime(self.due_us)

    @property
    def declaration(self) -> tuple[object, ...]:
        """What makes it another schedule where it changes."""
        return self.command, self.data, self.carried, self.recurrence, self.missed, self.declared
