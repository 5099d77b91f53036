"""kill -9 of appending processes: whatever was acknowledged is in the log once, and of the rest all or nothing."""

import random
from collections import Counter
from itertools import islice

import psycopg
import pytest

from eventstore import Event, EventStore, Recorded, StreamAppend, WrongExpectedVersion, open_store
from eventstore.new_event import NewEvent
from tests.eventstore.backends.postgresql import until
from tests.eventstore.forked import processes
from tests.eventstore.victim import (
    EVENTS,
    LANES,
    Acknowledged,
    Noted,
    Tallied,
    append_until_killed,
    appends_of,
)

KILLS = 30
MOST_APPENDS = 60

Lane = list[Acknowledged]


def run_until_killed(url: str, run: int) -> list[Lane]:
    """Lets a process append, kills it after a random number of acknowledgements, and returns what it acknowledged."""
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=append_until_killed, args=(url, run, sender))
    process.start()
    sender.close()
    heard = [receiver.recv() for _ in range(random.Random(run).randrange(MOST_APPENDS))]
    process.kill()
    with receiver:
        try:
            while True:
                heard.append(receiver.recv())
        except EOFError:
            process.join()
    return [[each for each in heard if each.lane == lane] for lane in range(LANES)]


def wait_for_the_dead(url: str) -> None:
    """A server ends the sessions of a dead client when it notices; a file knows at once."""
    if not url.startswith("postgres"):
        return
    with psycopg.connect(url, autocommit=True) as connection:
        others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        until(lambda: connection.execute(others).fetchone() is None)


def identity(event: Event) -> tuple[int, int, int]:
    assert isinstance(event, (Noted, Tallied))
    return event.run, event.lane, event.n


def contents(appends: list[StreamAppend]) -> list[tuple[str, Event]]:
    return [(each.stream, new.event if isinstance(new, NewEvent) else new) for each in appends for new in each.events]


def check_log(log: list[Recorded[Event]], store: EventStore) -> None:
    """Positions ascend, versions are dense, ids are unique, and the index of tags knows exactly what the events say."""
    positions = [each.position for each in log]
    assert positions == sorted(set(positions))
    assert len({each.event_id for each in log}) == len(log) == store.backend.count()
    versions: Counter[str] = Counter()
    for each in log:
        versions[each.stream] += 1
        assert each.version == versions[each.stream]
    for lane in range(LANES):
        tagged = [each for each in log if isinstance(each.event, Tallied) and each.event.lane == lane]
        assert list(store.read_log(tags=[f"lane:{lane}"])) == tagged
        assert all(each.tags == (f"lane:{lane}",) for each in tagged)


def check_run(log: list[Recorded[Event]], run: int, lanes: list[Lane]) -> list[int]:
    """How many appends of each lane are in the log: those that were acknowledged, and at most one more, each whole."""
    found: dict[tuple[int, int, int], list[Recorded[Event]]] = {}
    for recorded in log:
        found.setdefault(identity(recorded.event), []).append(recorded)
    stored = []
    for lane, acknowledged in enumerate(lanes):
        count = sum(1 for each in found if each[:2] == (run, lane))
        assert len(acknowledged) <= count <= len(acknowledged) + 1
        for n, appends in enumerate(islice(appends_of(run, lane), count)):
            here = found[run, lane, n]
            assert [(each.stream, each.event) for each in here] == contents(appends)
            if n < len(acknowledged):
                assert here[-1].position == acknowledged[n].position
                assert {each.stream: each.version for each in here} == acknowledged[n].versions
        stored.append(count)
    return stored


def append_again(store: EventStore, run: int, lane: int, acknowledged: Lane) -> None:
    """Repeats the last append that was acknowledged, and the one that was under way."""
    last = max(len(acknowledged) - 1, 0)
    for n, appends in enumerate(islice(appends_of(run, lane), last, len(acknowledged) + 1), last):
        try:
            appended = store.append_all(appends)
        except WrongExpectedVersion:  # without an id, the expected version keeps it from being stored twice
            assert isinstance(appends[0].events[0], Noted)
            continue
        if n < len(acknowledged):
            assert (appended.position, appended.versions) == acknowledged[n][1:]


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_after_a_kill_at_any_point_the_log_has_what_was_acknowledged_once_and_no_half_append(url: str) -> None:
    cut_short = 0
    for run in range(KILLS):
        lanes = run_until_killed(url, run)
        wait_for_the_dead(url)

        with open_store(url, events=EVENTS, migrate=True) as survivor:
            log = list(survivor.read_log())
            check_log(log, survivor)
            stored = check_run(log, run, lanes)

            for lane, acknowledged in enumerate(lanes):
                append_again(survivor, run, lane, acknowledged)

            log = list(survivor.read_log())
            check_log(log, survivor)
            assert check_run(log, run, lanes) == [len(acknowledged) + 1 for acknowledged in lanes]
        cut_short += sum(stored) > sum(map(len, lanes))
    assert cut_short > 0, "no kill fell between a commit and its acknowledgement"
