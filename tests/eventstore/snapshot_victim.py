"""A process to be killed: eight threads dispatch commands whose appends leave snapshots. Run by `test_snapshot_kill.py`."""

import random
import threading
from multiprocessing.connection import Connection

from eventfold import Aggregate, Application, Command, Event, SnapshotPolicy, handles

WRITERS = 8
STREAMS = 3


class Turned(Event):
    by: int


class Dial(Aggregate[Turned], snapshots=SnapshotPolicy(every=2, keep=4)):
    turns: int = 0
    trail: tuple[int, ...] = ()
    digest: int = 0

    def evolve(self, event: Turned) -> "Dial":
        return Dial(self.turns + 1, (*self.trail[-20:], event.by), (self.digest * 31 + event.by) % 1_000_003)


class Turn(Command):
    dial_id: str
    by: tuple[int, ...]


@handles
def turn(dial: Dial, command: Turn) -> list[Turned]:
    """What is appended depends on the state: a wrong one would be seen in the events."""
    return [Turned(by + dial.digest) for by in command.by]


def application(url: str) -> Application:
    return Application(url, handlers=[turn], migrate=True, cache_states=2)


def work(url: str, seed: int, reports: Connection) -> None:
    """Dispatches until it is ended, and reports each receipt."""
    app, lock = application(url), threading.Lock()

    def write(own: int) -> None:
        chance = random.Random(seed * WRITERS + own)
        while True:
            by = tuple(chance.randrange(100) for _ in range(chance.randrange(1, 4)))
            receipt = app.dispatch(Turn(str(chance.randrange(STREAMS)), by))
            with lock:
                reports.send((receipt.stream, receipt.version))

    for own in range(WRITERS):
        threading.Thread(target=write, args=[own], daemon=True).start()
    threading.Event().wait()
