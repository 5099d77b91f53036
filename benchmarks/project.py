"""Projecting into a SQL table: catching up with the log, and rebuilding."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from benchmarks.domain import EVENTS, AccountEvent, Balance, application, balances, fold_balance
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import Peer, PeerBalances, peer_bank
from benchmarks.place import Place
from benchmarks.raw import PAGE, RawLog, movements
from benchmarks.read import account_log
from eventfold import Application, Recorded, SqlTable, Struct, projection
from eventfold.parallel_rebuild import rebuild_in_processes
from projections import BoundProjection, prune, rebuild
from projections.partition_build import Limits

BATCH = 10_000
PROCESSES_LOG = 10
"""So many times as long as the others' is the log that several processes rebuild from."""


class Ours:
    """An application whose read model can be made to begin anew."""

    def __init__(self, app: Application) -> None:
        self.app = app
        (self.track,) = app.engine.tracks

    @property
    def table(self) -> str:
        """Where the live rows are."""
        generation: Any = self.track.generation
        return f"balances__g{generation.number}"

    def begin_anew(self) -> None:
        """An empty live generation, made by a rebuild of nothing."""
        engine = self.app.store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {self.table}")
            connection.exec_driver_sql(
                "UPDATE eventfold_checkpoints SET position = 0, events = 0 "
                "WHERE number = (SELECT number FROM eventfold_generations WHERE state = 'live')"
            )
        self.track.refresh()

    def catch_up(self, _count: int) -> int:
        self.app.catch_up()
        return self.track.position

    def rebuild(self, _count: int) -> int:
        return rebuild(self.app.store, self.track)


def catch_up_by_hand(raw: RawLog, checkpoint: RawLog) -> int:
    """Batches of 10,000: read the touched rows, fold, and store each of them once with the checkpoint."""
    position = done = 0
    while True:
        events, position = movements(raw, position, BATCH)
        if not events:
            return done
        rows = checkpoint.balances(list({key for key, _ in events}))
        for key, event in events:
            rows[key] = fold_balance(rows.get(key), key, event)
        checkpoint.store_balances(list(rows.values()), position)
        done += len(events)


def rebuild_by_hand(raw: RawLog, checkpoint: RawLog) -> int:
    """Folds everything in memory and writes it once."""
    rows: dict[str, Balance] = {}
    position = done = 0
    while True:
        events, position = movements(raw, position, PAGE)
        if not events:
            break
        for key, event in events:
            rows[key] = fold_balance(rows.get(key), key, event)
        done += len(events)
    checkpoint.store_balances(list(rows.values()), position)
    return done


@contextmanager
def contestants(place: Place, effort: Effort) -> Iterator[tuple[Ours, RawLog, RawLog, Contestant]]:
    url = account_log(place, effort.log_events)
    with ExitStack() as stack:
        app = stack.enter_context(application(url))
        ours = Ours(app)
        app.query(Balance).count()
        raw = stack.enter_context(closing(place.raw(url)))
        checkpoint = stack.enter_context(closing(place.raw(url, durable=False)))
        peer = stack.enter_context(peer_bank(place))
        peer.seed(min(effort.log_events, 2000))
        yield ours, raw, checkpoint, _peer_contestant(stack, peer)


def _peer_contestant(stack: ExitStack, peer: Peer) -> Contestant:
    view = stack.enter_context(closing(PeerBalances(peer)))
    return Contestant(lambda count: view.follow(0, min(count, 2000)), view.clear, fixed=False)


@contextmanager
def catching_up(place: Place, effort: Effort) -> Iterator[Contest]:
    with contestants(place, effort) as (ours, raw, checkpoint, peer):
        yield Contest(
            Contestant(ours.catch_up, ours.begin_anew, fixed=True),
            Contestant(
                lambda _: catch_up_by_hand(raw, checkpoint),
                lambda: checkpoint.make_balances(ours.table),
                fixed=True,
            ),
            peer,
        )


@contextmanager
def rebuilding(place: Place, effort: Effort) -> Iterator[Contest]:
    with contestants(place, effort) as (ours, raw, checkpoint, peer):
        ours.app.catch_up()
        yield Contest(
            Contestant(ours.rebuild, fixed=True),
            Contestant(
                lambda _: rebuild_by_hand(raw, checkpoint),
                lambda: checkpoint.make_balances(ours.table),
                fixed=True,
            ),
            peer,
        )


class Kind(Struct, frozen=True):
    type: str
    movements: int = 0
    amount: int = 0


class Band(Struct, frozen=True):
    band: int
    movements: int = 0
    largest: int = 0


@projection("kinds", key=lambda recorded: recorded.type)
def kinds(row: Kind | None, recorded: Recorded[AccountEvent]) -> Kind:
    row = row or Kind(recorded.type)
    return Kind(row.type, row.movements + 1, row.amount + recorded.event.amount)


@projection("bands", key=lambda recorded: recorded.event.amount // 1000)
def bands(row: Band | None, recorded: Recorded[AccountEvent]) -> Band:
    amount = recorded.event.amount
    row = row or Band(amount // 1000)
    return Band(row.band, row.movements + 1, max(row.largest, amount))


@contextmanager
def three_of_them(place: Place, effort: Effort) -> Iterator[Contest]:
    """A row for each account and two summaries, against the row for each account alone; each in tables of its own."""
    url = account_log(place, effort.log_events)
    alone = [balances.into(SqlTable("balances"))]
    three = [balances.into(SqlTable("balances_3")), kinds.into(SqlTable("kinds")), bands.into(SqlTable("bands"))]

    def contestant(stack: ExitStack, projections: list[BoundProjection[Any]]) -> Contestant:
        app = stack.enter_context(Application(url, projections=projections, events=EVENTS, migrate=True))
        app.catch_up()

        def begin_anew() -> None:
            for name in app.engine.projections:
                app.reset(name)

        def catch_up(_count: int) -> int:
            app.catch_up()
            return effort.log_events

        return Contestant(catch_up, begin_anew, fixed=True)

    with ExitStack() as stack:
        yield Contest(contestant(stack, three), contestant(stack, alone))


@contextmanager
def rebuilding_with_two(place: Place, effort: Effort) -> Iterator[Contest]:
    """Two processes against one, over a log so long that starting them counts for little."""
    url = account_log(place, PROCESSES_LOG * effort.log_events)
    environment = {"EVENTFOLD_APP": "benchmarks.rebuilt:app", "EVENTFOLD_DATABASE": url}
    with application(url) as app:
        (track,) = app.engine.tracks
        app.query(Balance).count()

        def rebuild_with(processes: int) -> int:
            events = rebuild_in_processes(app.store, track, processes, Limits(), environment=environment)
            prune(track)
            return events

        yield Contest(
            Contestant(lambda _: rebuild_with(2), fixed=True), Contestant(lambda _: rebuild_with(1), fixed=True)
        )


BENCHMARKS = [
    Benchmark(
        "catch-up",
        "projection into a SQL table, catching up",
        "events/s",
        catching_up,
        {"sqlite": 0.70, "postgresql": 0.70},
    ),
    Benchmark(
        "catch-up-3",
        "three projections over one log, catching up; the floor is one of them",
        "events/s",
        three_of_them,
        {"sqlite": 0.67, "postgresql": 0.67},
    ),
    Benchmark(
        "rebuild",
        "projection rebuilt into a fresh generation",
        "events/s",
        rebuilding,
        {"sqlite": 0.60, "postgresql": 0.60},
    ),
    Benchmark(
        "rebuild-2",
        "projection rebuilt by two processes; the floor is one process",
        "events/s",
        rebuilding_with_two,
        {"sqlite": 1.6, "postgresql": 1.6},
        slow=True,
    ),
]
