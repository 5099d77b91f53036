"""A projection that stops for the test: with GATE in the environment, its fold rings there at event 11,000 and goes no further."""

import os
import select
from pathlib import Path

from eventfold import Application, Event, Recorded, SqlTable, StreamAppend, Struct, projection

EVENTS = 12_000
GATE_AT = 11_000


class Ticked(Event):
    number: int


class Clock(Struct, frozen=True):
    name: str
    ticks: int = 0


@projection("clocks")
def clocks(row: Clock | None, recorded: Recorded[Ticked]) -> Clock | None:
    gate = os.environ.get("GATE")
    if gate and recorded.event.number == GATE_AT:
        Path(gate).write_text("reached")
        while True:
            select.select([], [], [], 0.05)
    row = row or Clock(recorded.stream_id)
    return Clock(row.name, row.ticks + 1)


app = Application("sqlite:///gated.db", projections=[clocks.into(SqlTable("clocks"))], name="gated")


def fill(database: str) -> None:
    app.parts.use_database(database)
    for first in range(0, EVENTS, 4000):
        events = [Ticked(first + i + 1) for i in range(4000)]
        app.store.append_all([StreamAppend("clock-c-1", events)])
    app.close()
