"""Opens the schedules of a log."""

from commands.schedule.memory_table import MemorySchedules
from commands.schedule.schedules import Schedules
from commands.schedule.sql_table import SqlSchedules
from eventstore import EventStore


def open_schedules(store: EventStore) -> Schedules:
    """The scheduled commands of a log, which are fired in the transactions of its appends from now on."""
    database = store.backend.sql
    schedules = Schedules(store, MemorySchedules() if database is None else SqlSchedules(database))
    store.accompany(schedules, first=True)
    return schedules
