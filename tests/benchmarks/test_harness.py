import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import memory
from benchmarks.__main__ import BENCHMARKS, chosen, main
from benchmarks.append import EVENT
from benchmarks.conditions import LATEST, by_hand, ours
from benchmarks.domain import Balance, Subscribed, account_events, application, new_subscriptions, subscriptions
from benchmarks.group_floor import GroupFloor
from benchmarks.harness import Benchmark, Contest, Contestant, Effort, compete, measure, summarize
from benchmarks.place import Place, PostgresPlace, SqlitePlace, store_in
from benchmarks.project import Ours, catch_up_by_hand, rebuild_by_hand
from benchmarks.raw import RawLog, new_row, new_rows
from benchmarks.report import as_json, print_table
from tests.services.elasticsearch import URL_VARIABLE, Elasticsearch
from tests.services.postgresql import Postgres

TINY = Effort(repetitions=1, seconds=0.0, log_events=2000, tagged_events=500)
KEYS = {"path", "ours", "floor", "peer", "of_floor", "over_peer"}
WITH_SERVERS = {"relay-nats", "relay-kafka", "outbox-stream", "elasticsearch"}
"""Those that start servers of their own, which takes longer than all the others together."""

NOBODY = nullcontext(Contest(Contestant(lambda _: 1)))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield SqlitePlace(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    postgres = PostgresPlace(server)
    yield postgres
    postgres.drop_all()


@contextmanager
def raw_log(place: Place) -> Iterator[RawLog]:
    url = place.new()
    store_in(url).close()
    with closing(place.raw(url)) as raw:
        yield raw


def benchmark(**options: Any) -> Benchmark:
    return Benchmark("name", "a path", "events/s", lambda _place, _effort: NOBODY, **options)


def stored(raw: RawLog) -> list[Any]:
    """The log without what differs from run to run: when it was recorded, and the ids."""
    events = [(*row[:3], row[4], row[5], *row[7:]) for row in raw.all("eventfold_events")]
    return [events, sorted(raw.all("eventfold_event_tags"))]


def test_the_median_of_the_ratios_counts_and_not_the_ratio_of_the_medians() -> None:
    values = {"ours": [100.0, 10.0, 4.0], "floor": [200.0, 10.0, 16.0], "peer": [10.0, 5.0, 4.0]}
    result = summarize(benchmark(owed={"sqlite": 0.5}), "sqlite", values)
    assert (result.ours, result.floor, result.peer) == (10.0, 16.0, 5.0)
    assert (result.of_floor, result.over_peer) == (0.5, 2.0)
    assert (result.path, result.owed, result.met) == ("SQLite a path", ">= 0.50 of floor", True)


def test_less_than_what_is_owed_is_not_met() -> None:
    result = summarize(benchmark(owed={"sqlite": 0.9}), "sqlite", {"ours": [8.0], "floor": [10.0]})
    assert (result.of_floor, result.met) == (0.8, False)


def test_a_rate_may_be_owed() -> None:
    result = summarize(benchmark(owed_rate={"sqlite": 100_000}), "sqlite", {"ours": [90_000.0]})
    assert (result.owed, result.met) == (">= 100,000 events/s", False)


def test_a_time_over_the_floor_may_be_owed() -> None:
    result = summarize(benchmark(owed_extra_us=2), "sqlite", {"ours": [250_000.0], "floor": [400_000.0]})
    assert (result.owed, result.met) == ("<= 2 us over floor (1.5)", True)


def test_nothing_is_owed_where_nothing_is_said() -> None:
    result = summarize(benchmark(owed={"sqlite": 0.9}), "postgresql", {"ours": [8.0], "floor": [10.0]})
    assert (result.path, result.owed, result.met) == ("PostgreSQL a path", None, None)


def test_of_times_the_shorter_one_is_the_faster() -> None:
    result = summarize(benchmark(owed_ms=10), "sqlite", {"ours": [5.0, 4.0, 60.0], "peer": [100.0, 100.0, 100.0]})
    assert (result.ours, result.over_peer, result.owed, result.met) == (5.0, 20.0, "<= 10 ms", True)
    assert (result.floor, result.of_floor) == (None, None)


def test_every_side_has_its_turn_in_every_repetition_and_another_one_begins_each_time() -> None:
    turns: list[str] = []

    def contestant(side: str) -> Contestant:
        return Contestant(lambda _: 1, lambda: turns.append(side), fixed=True)

    sides = {side: contestant(side) for side in ("ours", "floor", "peer")}
    values = compete(sides, TINY._replace(repetitions=3), lambda each, _count: (each.prepare(), 1.0)[1])
    warm_up, measured = turns[:3], turns[3:]
    assert warm_up == ["ours", "floor", "peer"]
    assert measured == ["ours", "floor", "peer", "floor", "peer", "ours", "peer", "ours", "floor"]
    assert values == {side: [1.0] * 3 for side in sides}


def test_a_first_call_that_connects_does_not_say_how_much_fills_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, counts = [0.0], list[int]()

    def run(count: int) -> int:
        now[0] += count * 0.001 if counts else 1.0
        counts.append(count)
        return count

    monkeypatch.setattr("benchmarks.harness.time.perf_counter", lambda: now[0])
    compete({"ours": Contestant(run)}, TINY._replace(seconds=0.4), lambda each, count: float(each.run(count)))

    assert counts[-1] == pytest.approx(400, rel=0.01)


def test_preparing_is_not_measured() -> None:
    prepared: list[int] = []
    contest = Contest(Contestant(lambda _: len(prepared), lambda: prepared.append(1), fixed=True))
    measured = benchmark()._replace(open=lambda _place, _effort: nullcontext(contest))
    assert measure(measured, SqlitePlace(Path("unused")), TINY).ours > 0
    assert len(prepared) == 2, "once for the warm-up, once for the repetition"


def test_rows_of_json_have_the_promised_keys() -> None:
    result = summarize(benchmark(), "sqlite", {"ours": [8.0], "floor": [10.0]})
    (row,) = json.loads(as_json([result]))
    assert row.keys() >= KEYS
    assert (row["path"], row["ours"], row["floor"], row["peer"]) == ("SQLite a path", 8.0, 10.0, None)
    assert (row["of_floor"], row["over_peer"]) == (0.8, None)


def test_the_table_says_what_is_owed_and_whether_it_is_met() -> None:
    output = StringIO()
    values = {"ours": [8.0], "floor": [10.0]}
    print_table([summarize(benchmark(owed={"sqlite": 0.9}), "sqlite", values)], Console(file=output, width=200))
    assert ">= 0.90 of floor" in output.getvalue()
    assert "NO" in output.getvalue()


def test_only_chooses_by_parts_of_names() -> None:
    assert [each.name for each in chosen("sqlite", ["append-1", "load"])] == ["append-1", "append-100", "load"]
    assert list(chosen("sqlite", [])) == [each for each in BENCHMARKS if "sqlite" in each.databases]
    assert [
        each.name for each in BENCHMARKS if "sqlite" in each.databases and each not in chosen("sqlite", [], quick=True)
    ] == [
        "rebuild-2",
        "relay-memory",
    ]
    assert [each.name for each in chosen("postgresql", ["relay-", "outbox-stream"])] == [
        "relay-memory",
        "relay-nats",
        "relay-kafka",
        "outbox-stream",
    ]
    assert [each.name for each in chosen("sqlite", ["rebuild-2"], quick=True)] == ["rebuild-2"]


def test_rows_are_written_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.__main__.FULL", TINY)
    file = tmp_path / "rows.json"
    assert main(["--database", "sqlite", "--only", "append-100", "--json", str(file)]) == 0
    assert [row["name"] for row in json.loads(file.read_text())] == ["append-100"]


@pytest.mark.parametrize("name", [each.name for each in BENCHMARKS if each.name not in WITH_SERVERS])
def test_each_benchmark_measures_a_little(name: str, place: Place) -> None:
    chosen_one = next(each for each in BENCHMARKS if each.name == name)
    result = measure(chosen_one, place, TINY)
    assert result.ours > 0
    assert (result.floor is None) == (chosen_one.owed_ms is not None or name == "schema-check")


def test_the_benchmark_of_elasticsearch_measures_a_little(
    tmp_path: Path, elasticsearch_server: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, elasticsearch_server.url)
    (chosen_one,) = chosen("sqlite", ["elasticsearch"])
    result = measure(chosen_one, SqlitePlace(tmp_path), TINY)
    for index in elasticsearch_server.indices("bench-*"):
        elasticsearch_server.ask(f"/{index}", "DELETE")
    assert result.ours > 0
    assert result.floor is not None


def test_memory_is_measured(place: Place) -> None:
    found = memory.measure(place, TINY)
    assert found.keys() == {"read", "rebuild", "rebuild-keys"}
    for peaks in found.values():
        assert peaks.events == TINY.tagged_events
        assert 0 < peaks.before <= peaks.tenth <= peaks.all


def test_the_floor_stores_the_rows_that_we_store(place: Place) -> None:
    url = place.new()
    with store_in(url) as store, closing(place.raw(url)) as mine, raw_log(place) as raw:
        store.append("account-1", [EVENT], expected=0)
        store.append("account-1", [EVENT] * 3, expected=1)
        raw.append_one("account-1", 1, EVENT)
        raw.append_rows(new_rows("account-1", 2, [EVENT] * 3))
        assert stored(mine) == stored(raw)
        assert len(stored(raw)[0]) == 4


@pytest.mark.parametrize("together", [True, False])
def test_the_floor_stores_the_same_under_a_condition(place: Place, *, together: bool) -> None:
    url = place.new()
    with store_in(url) as store, closing(place.raw(url)) as mine, raw_log(place) as raw:
        raw.make_guarded()
        for attempt in (ours(store, together=together), by_hand(raw, together=together)):
            positions = [attempt(stream, event, LATEST) for stream, event in islice(new_subscriptions(10), 5)]
            assert positions == [1, 2, 3, 4, 5]
        assert stored(mine) == stored(raw)
        assert len(stored(raw)[1]) == 15


@pytest.mark.parametrize("together", [True, False])
def test_the_floor_refuses_what_its_condition_forbids(place: Place, *, together: bool) -> None:
    with raw_log(place) as raw:
        raw.make_guarded()
        attempt = by_hand(raw, together=together)
        event = Subscribed("s", "c", "t")
        attempt("subscription-1", event, 0)
        with pytest.raises(Exception, match="the condition failed"):
            attempt("subscription-2", event, 0)


def test_a_seeded_log_is_one_that_we_could_have_stored(place: Place) -> None:
    url = place.new()
    with store_in(url) as store, closing(place.raw(url)) as mine, raw_log(place) as raw:
        for stream, version, event in [*account_events(100), *subscriptions(100)]:
            store.append(stream, [event], expected=version - 1)
        raw.seed([*account_events(100), *subscriptions(100)])
        assert stored(mine) == stored(raw)
        assert [each.event for each in store.read_log()] == [
            each for _, _, each in [*account_events(100), *subscriptions(100)]
        ]


def test_new_subscriptions_are_not_among_those_that_are_there_nor_in_another_part() -> None:
    pairs = [(event.student_id, event.course_id) for _, _, event in subscriptions(2000)]
    for part in range(16):
        pairs += [(event.student_id, event.course_id) for _, event in islice(new_subscriptions(2000, part), 5000)]
    assert len(set(pairs)) == len(pairs)


def test_the_group_floor_stores_what_it_is_handed(place: Place) -> None:
    with raw_log(place) as raw:
        with closing(GroupFloor(raw)) as group:
            for version in (1, 2):
                group.append(new_row("account-1", version, EVENT))
        assert len(stored(raw)[0]) == 2


def test_the_floors_project_the_rows_that_we_project(place: Place) -> None:
    url = place.new()
    store_in(url).close()
    with closing(place.raw(url)) as raw, application(url) as app:
        raw.seed(account_events(3000))
        our_way = Ours(app)
        app.query(Balance).count()
        table = our_way.table
        assert our_way.catch_up(0) == 3000
        for by_hand_way in (catch_up_by_hand, rebuild_by_hand):
            raw.make_balances(table)
            assert by_hand_way(raw, raw) == 3000
            assert raw.all("floor_balances") == raw.all(table)
            assert raw.all("floor_checkpoint") == [(3000,)]
        our_way.begin_anew()
        assert raw.all(table) == []
        assert our_way.rebuild(0) == 3000
        assert app.query(Balance).count() == len(raw.all("floor_balances"))
