"""Processes to be killed: they append until they are ended. Started by `test_kill.py` and `test_interleaving.py`.

What a victim appends follows from its run and its lane, so that whoever survives it knows what may be in the log.
"""

import random
import threading
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Annotated, NamedTuple

from eventstore import ANY, Event, NewEvent, StreamAppend, Tag, open_store

LANES = 3
SHARED_STREAMS = 5


class Noted(Event):
    """Alone and without tags: the shortest way into the log."""

    run: int
    lane: int
    n: int


class Tallied(Event):
    """One of a batch, with tags and an id of its own."""

    run: int
    lane: Annotated[int, Tag]
    n: int


EVENTS = (Noted, Tallied)


class Acknowledged(NamedTuple):
    """An append that has returned."""

    lane: int
    position: int
    versions: dict[str, int]


def appends_of(run: int, lane: int) -> Iterator[list[StreamAppend]]:
    """What a lane appends, one call after the other, for ever."""
    chance = random.Random(f"{run} {lane}")
    n, own = 0, 0
    while True:
        if chance.random() < 0.3:
            yield [StreamAppend(f"own-{run}-{lane}", [Noted(run, lane, n)], own)]
            own += 1
        else:
            names = chance.sample(range(SHARED_STREAMS), chance.randint(1, 2))
            yield [
                StreamAppend(
                    f"shared-{name}",
                    [
                        NewEvent(Tallied(run, lane, n), event_id=uuid.UUID(int=chance.getrandbits(128), version=4))
                        for _ in range(chance.randint(1, 3))
                    ],
                    ANY,
                )
                for name in names
            ]
        n += 1


def append_until_killed(url: str, run: int, report: Connection) -> None:
    store = open_store(url, events=EVENTS, migrate=True, busy_seconds=60.0)
    one_at_a_time = threading.Lock()

    def go(lane: int) -> None:
        for appends in appends_of(run, lane):
            appended = store.append_all(appends)
            with one_at_a_time:
                report.send(Acknowledged(lane, appended.position, appended.versions))

    threads = [threading.Thread(target=go, args=(lane,)) for lane in range(LANES)]
    for thread in threads:
        thread.start()


def hold_until_killed(url: str, stream: str, report: Connection) -> None:
    """Keeps a transaction open with an append in it."""
    store = open_store(url, events=EVENTS, busy_seconds=60.0)
    assert store.backend.engine is not None
    with store.backend.engine.connect().execution_options(writes=True) as connection:
        store.append(stream, [Noted(0, 0, 0)], connection=connection)
        report.send(stream)
        threading.Event().wait()
