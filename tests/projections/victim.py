"""A process to be killed: projects what it appends, or rebuilds, until it is ended. It reports each thing done as a dot.

Run by `test_kill.py` and `test_paused.py`: `python -m tests.projections.victim URL SEED WORK`, WORK being the name of a function.
"""

import os
import random
import sys
import threading
from functools import partial

from sqlalchemy import event

from eventfold import Application, Event, EventStore, Recorded, ReportingView, SqlTable, open_store, reaction
from eventfold.worker import Worker
from projections import Engine, batch, partition_build, rebuild
from projections.writing import Outcome, Work
from tests.projections import enriched
from tests.projections.inline_shop import append_some, open_inline
from tests.projections.shop import (
    EVENTS,
    Added,
    Closed,
    Moved,
    bindings,
    divided,
    open_engine,
    open_shop,
    stock,
    totals,
)

LEASE_SECONDS = 0.2


def append(store: EventStore, chance: random.Random) -> None:
    item = f"i{chance.randrange(6)}"
    event = chance.choice([Added(chance.randrange(20)), Moved(f"i{chance.randrange(6)}", 1), Closed()])
    store.append(f"item-{item}", [event] * chance.randrange(1, 4))


def project(store: EventStore, chance: random.Random) -> None:
    """Appends in one thread and projects in another."""
    engine = open_engine(store, batch_size=chance.randrange(1, 30))

    def follow() -> None:
        while True:
            engine.step()

    threading.Thread(target=follow, daemon=True).start()
    os.write(1, b"ready\n")
    while True:
        append(store, chance)
        os.write(1, b".")


def rebuild_again_and_again(store: EventStore, chance: random.Random, *, quietly: bool) -> None:
    """Rebuilds one projection after the other; unless quietly, events come in meanwhile and move the live rows."""
    setattr(partition_build, "BATCH", chance.randrange(1, 12))  # noqa: B010 - a module, to a type checker
    engine = open_engine(store)

    def on_progress(_progress: object) -> None:
        if not quietly and chance.randrange(4) == 0:
            append(store, chance)
            engine.step()
        os.write(1, b".")

    os.write(1, b"ready\n")
    while True:
        for name in ("stock", "totals"):
            rebuild(store, engine.find(name)[0], on_progress=on_progress, max_memory=1, write_seconds=0.0)


def work(_store: EventStore, chance: random.Random) -> None:
    """A worker among others, which reports each batch just before it is written."""
    write_all = batch.write_all

    def report(work: list[Work]) -> list[Outcome]:
        os.write(1, b".")
        return write_all(work)

    setattr(batch, "write_all", report)  # noqa: B010 - the same
    app = Application(sys.argv[1], projections=divided(), events=EVENTS)
    setattr(app.parts, "_engine", Engine(app.store, divided(), batch_size=chance.randrange(1, 9)))  # noqa: B010
    os.write(1, b"ready\n")
    Worker(app.parts, lease_seconds=LEASE_SECONDS).run()


def fold_inline(_store: EventStore, chance: random.Random) -> None:
    """Two threads append what is folded inline; one of the appends in ten is not, as if by a process that does not know how."""
    app = open_inline(sys.argv[1])
    plain = EventStore(app.store.backend)

    def write(own: random.Random) -> None:
        while True:
            append_some(plain if own.randrange(10) == 0 else app.store, own)
            os.write(1, b".")

    os.write(1, b"ready\n")
    for _ in range(2):
        threading.Thread(target=write, args=(random.Random(chance.random()),), daemon=True).start()
    threading.Event().wait()


class Sent(Event):
    of: int


@reaction("echo", start="beginning", key=lambda recorded: recorded.event.amount % 3, partitions=2)
def echo(recorded: Recorded[Added | Moved], app: Application) -> None:
    """A side effect that outlives its process."""
    app.store.append(f"sent-{recorded.event.amount % 3}", [Sent(recorded.position)])
    os.write(1, b".")


def react(_store: EventStore, _chance: random.Random) -> None:
    """A worker that carries out a reaction, which reports each effect."""
    app = Application(sys.argv[1], reactions=[echo], events=(*EVENTS, Sent))
    os.write(1, b"ready\n")
    Worker(app.parts, lease_seconds=LEASE_SECONDS).run()


def enrich(_store: EventStore, chance: random.Random) -> None:
    """Appends in one thread, and keeps in another what looks up rows of others."""
    store = open_store(sys.argv[1], events=enriched.EVENTS)
    bound = [each.into(SqlTable(each.name)) for each in (enriched.customers, enriched.spendings)]
    engine = Engine(store, bound, batch_size=chance.randrange(1, 9))

    def follow() -> None:
        while True:
            engine.step()

    threading.Thread(target=follow, daemon=True).start()
    os.write(1, b"ready\n")
    while True:
        enriched.append_some(store, chance, 1)
        os.write(1, b".")


def main() -> None:
    url, seed, name = sys.argv[1:]
    store, chance = open_shop(url), random.Random(int(seed))
    WORK[name](store, chance)


def view(_store: EventStore, chance: random.Random) -> None:
    """Rebuilds a table and refreshes a view over it, and reports each statement just before it is sent."""
    app = Application(sys.argv[1], projections=bindings(), views=[LAST], events=EVENTS)

    @event.listens_for(app.engine.views["last"].database.engine, "before_cursor_execute")
    def report(*_arguments: object) -> None:
        if chance.randrange(4) == 0:
            os.write(1, b".")

    os.write(1, b"ready\n")
    while True:
        append(app.store, chance)
        app.catch_up()
        app.refresh("last")
        append(app.store, chance)
        app.rebuild("stock")


def elsewhere(store: EventStore, chance: random.Random) -> None:
    """Appends in one thread and projects into another database in another, in small batches."""
    other = [each.into(SqlTable(each.name, url="${VICTIMS_OTHER_DATABASE}")) for each in (stock, totals)]
    engine = Engine(store, other, batch_size=chance.randrange(1, 30))
    write_all = batch.write_all

    def report(work: list[Work]) -> list[Outcome]:
        os.write(1, b".")
        return write_all(work)

    setattr(batch, "write_all", report)  # noqa: B010 - a module, to a type checker
    os.write(1, b"ready\n")
    while True:
        append(store, chance)
        engine.step()


LAST = ReportingView(
    "last", "SELECT 1 AS one, count(*) AS items FROM {stock}", over=["stock"], unique="one", materialized=True
)
WORK = {
    "view": view,
    "elsewhere": elsewhere,
    "project": project,
    "work": work,
    "inline": fold_inline,
    "enrich": enrich,
    "react": react,
    "rebuild": partial(rebuild_again_and_again, quietly=False),
    "rebuild-quietly": partial(rebuild_again_and_again, quietly=True),
}


if __name__ == "__main__":
    main()
