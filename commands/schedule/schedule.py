"""A command that recurs, as an application's code declares it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from commands.command import Command
from commands.schedule.recurrence import Missed
from commands.schedule.when import When, check_name
from eventstore import DefinitionError, InvalidInput


class Schedule(msgspec.Struct, frozen=True):
    """A command that comes again and again.

        Application(..., schedules=[Schedule("nightly", CloseDay(), cron="0 6 * * *", zone="Europe/Berlin")])

    It is kept in the database under its name as soon as a worker starts, so that any number of processes may declare it. Where the
    declaration is changed, the schedule is; where it is taken out of the code, nobody dispatches it any more.

    Attributes:
        name: its own in the database.
        command: what is dispatched each time.
        cron: five fields as `crontab` has them; needs the extra `cron`.
        every: in place of that, an interval as a timedelta or in seconds, at least one.
        zone: the time zone in which `cron` is read, such as `Europe/Berlin`.
        missed: what is done about instants that have passed while no worker was at work: `latest` dispatches once for all of them,
            `all` for each, `skip` for none that is more than a minute late.
        metadata: stored beside every event that it leads to.

    Raises:
        DefinitionError: something of it makes no sense.
        Unsupported: the library that reads cron expressions is not installed.
    """

    name: str
    command: Command
    cron: str | None = None
    every: timedelta | float | None = None
    zone: str = "UTC"
    missed: Missed = "latest"
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuses what would fail only once the database is open."""
        if not isinstance(self.command, Command):
            raise DefinitionError(f"Schedule {self.name!r}: command: expected a command, got {self.command!r}")
        try:
            check_name(self.name)
            self.when.recurrence()
        except InvalidInput as error:
            raise DefinitionError(f"Schedule {self.name!r}: {error}") from error

    @property
    def when(self) -> When:
        """When it comes."""
        return When(cron=self.cron, every=self.every, zone=self.zone, missed=self.missed, name=self.name)
