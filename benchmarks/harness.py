"""Measures contestants in turn and compares them within each repetition, so that drift of the machine hits all alike."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks.place import Place

SIDES = ("ours", "floor", "peer")


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        repetitions: how often each contestant has its turn; the medians count.
        seconds: how long a turn lasts at least, where the amount of work can be chosen.
        log_events: how long the log is that is read, loaded from and projected.
        tagged_events: how long the log is whose appends have conditions.
    """

    repetitions: int
    seconds: float
    log_events: int
    tagged_events: int


FULL = Effort(repetitions=7, seconds=0.4, log_events=200_000, tagged_events=1_000_000)
QUICK = Effort(repetitions=3, seconds=0.1, log_events=30_000, tagged_events=50_000)


class Contestant(NamedTuple):
    """One way to do the work.

    Attributes:
        run: does about as much work as it is told, and returns how much it did.
        prepare: what has to be done before each run, and is not measured.
        fixed: whether the amount of work is always the same, whatever `run` is told.
    """

    run: Callable[[int], int]
    prepare: Callable[[], object] = lambda: None
    fixed: bool = False


class Contest(NamedTuple):
    """Who does the same work: ours, the raw driver, and another library where it can."""

    ours: Contestant
    floor: Contestant | None = None
    peer: Contestant | None = None

    def sides(self) -> dict[str, Contestant]:
        """Those that take part."""
        return {side: each for side in SIDES if (each := getattr(self, side)) is not None}


class Benchmark(NamedTuple):
    """A row of the table.

    Attributes:
        name: for `--only`.
        path: for people.
        unit: of what is counted.
        open: sets the contest up in a database, and clears it away.
        owed: how much of the floor, by the kind of database; nothing where it is not named.
        owed_ms: how many milliseconds it may take; times of single calls are then measured, and not a rate.
        databases: the kinds of database that have this path.
        owed_rate: how much it must do in a second, by the kind of database; nothing where it is not named.
        owed_extra_us: how many microseconds more than the floor each of the unit may take.
        slow: whether it says something only of much work: a quick run leaves it out unless it is named.
    """

    name: str
    path: str
    unit: str
    open: Callable[[Place, Effort], AbstractContextManager[Contest]]
    owed: Mapping[str, float] = {}
    owed_ms: float | None = None
    databases: Sequence[str] = ("sqlite", "postgresql")
    owed_rate: Mapping[str, float] = {}
    owed_extra_us: float | None = None
    slow: bool = False


class Result(msgspec.Struct, frozen=True):
    """What came of a benchmark: medians in the unit, and medians of the ratios within each repetition.

    A ratio above 1 says that ours is faster, whatever the unit.
    """

    path: str
    ours: float
    floor: float | None
    peer: float | None
    of_floor: float | None
    over_peer: float | None
    name: str
    database: str
    unit: str
    owed: str | None
    met: bool | None


def measure(benchmark: Benchmark, place: Place, effort: Effort) -> Result:
    """Runs one benchmark in one database."""
    with benchmark.open(place, effort) as contest:
        sample = _middle_time if benchmark.owed_ms is not None else _rate
        values = compete(contest.sides(), effort, sample)
    return summarize(benchmark, place.kind, values)


def compete(
    sides: Mapping[str, Contestant], effort: Effort, sample: Callable[[Contestant, int], float]
) -> dict[str, list[float]]:
    """Gives every side its turn in every repetition; who begins changes from one to the next."""
    counts = {side: _calibrate(each, effort.seconds) for side, each in sides.items()}
    values: dict[str, list[float]] = {side: [] for side in sides}
    order = list(sides)
    for _ in range(effort.repetitions):
        for side in order:
            values[side].append(sample(sides[side], counts[side]))
        order = order[1:] + order[:1]
    return values


def summarize(benchmark: Benchmark, database: str, values: Mapping[str, Sequence[float]]) -> Result:
    """Medians, and medians of the ratios."""
    timed = benchmark.owed_ms is not None

    def ratio(other: str) -> float | None:
        if other not in values:
            return None
        pairs = zip(values["ours"], values[other], strict=True)
        return median(theirs / mine if timed else mine / theirs for mine, theirs in pairs)

    ours, of_floor = median(values["ours"]), ratio("floor")
    owed, met = _owed(benchmark, database, values, of_floor)
    return Result(
        f"{_TITLES[database]} {benchmark.path}",
        ours,
        median(values["floor"]) if "floor" in values else None,
        median(values["peer"]) if "peer" in values else None,
        of_floor,
        ratio("peer"),
        benchmark.name,
        database,
        benchmark.unit,
        owed,
        met,
    )


def _owed(
    benchmark: Benchmark, database: str, values: Mapping[str, Sequence[float]], of_floor: float | None
) -> tuple[str | None, bool | None]:
    """What is owed, in words, and whether it is met; None where nothing is."""
    ours, least, rate = median(values["ours"]), benchmark.owed.get(database), benchmark.owed_rate.get(database)
    if benchmark.owed_ms is not None:
        return f"<= {benchmark.owed_ms:g} ms", ours <= benchmark.owed_ms
    if rate is not None:
        return f">= {rate:,.0f} {benchmark.unit}", ours >= rate
    if benchmark.owed_extra_us is not None:
        pairs = zip(values["ours"], values["floor"], strict=True)
        extra = median(1e6 / mine - 1e6 / floor for mine, floor in pairs)
        return f"<= {benchmark.owed_extra_us:g} us over floor ({extra:.1f})", extra <= benchmark.owed_extra_us
    if least is not None and of_floor is not None:
        return f">= {least:.2f} of floor", round(of_floor, 2) >= least
    return None, None


_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def _calibrate(contestant: Contestant, seconds: float) -> int:
    """Warms up, and finds how much work fills the time. The first call also connects and prepares, so it says nothing."""
    contestant.prepare()
    contestant.run(1)
    if contestant.fixed:
        return 1
    count = 1
    while True:
        contestant.prepare()
        begun = time.perf_counter()
        contestant.run(count)
        taken = time.perf_counter() - begun
        if taken >= seconds / 3:
            return max(1, round(count * seconds / max(taken, 1e-9)))
        count = max(count * 2, min(count * 50, round(count * seconds / max(taken, 1e-9) / 2)))


def _rate(contestant: Contestant, count: int) -> float:
    """How much is done in a second."""
    _ready(contestant)
    begun = time.perf_counter()
    done = contestant.run(count)
    return done / (time.perf_counter() - begun)


def _middle_time(contestant: Contestant, count: int) -> float:
    """The median time of single calls, in milliseconds."""
    _ready(contestant)
    times = []
    for _ in range(max(count, 5)):
        begun = time.perf_counter()
        contestant.run(1)
        times.append(time.perf_counter() - begun)
    return median(times) * 1000


def _ready(contestant: Contestant) -> None:
    """Nobody pays for the garbage of the one before."""
    contestant.prepare()
    gc.collect()
    gc.freeze()
