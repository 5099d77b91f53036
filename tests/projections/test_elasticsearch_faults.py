"""What goes wrong between us and Elasticsearch: cut connections, a busy, hanging or dead server, and writes that come late."""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from eventfold import (
    Application,
    Event,
    EventStore,
    NeedsRebuild,
    Recorded,
    SqlTable,
    Struct,
    TargetUnavailable,
    projection,
)
from eventfold.migrations import migrate
from eventstore import open_store
from projections import Engine, rebuild, status_of
from projections.errors import ProjectionFailed, RowsRefused
from projections.target import Change
from projections.targets.elasticsearch import ElasticsearchIndex
from projections.testing.contract.vocabulary import EVENTS as THINGS
from projections.testing.contract.vocabulary import Added, Thing, things
from tests.projections.faults import Proxy
from tests.projections.searched_shop import (
    assert_tracks_straight,
    open_searched,
    position_of_track,
    rows_of_track,
    searched,
)
from tests.projections.shop import EVENTS, STANDS_STILL, fill, open_shop
from tests.services.elasticsearch import Elasticsearch, ElasticsearchServer

PATIENT = 20.0


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_shop(sqlite_url) as store:
        yield store


@pytest.fixture
def proxy(elasticsearch_server: Elasticsearch) -> Iterator[Proxy]:
    with Proxy(elasticsearch_server.url) as proxy:
        yield proxy


def wait_for(condition: object, seconds: float = PATIENT) -> None:
    """Waits until a callable says yes."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        threading.Event().wait(0.02)


def test_a_connection_cut_in_the_middle_of_a_request_loses_and_doubles_nothing(
    store: EventStore, proxy: Proxy, elasticsearch_name: str
) -> None:
    chance = random.Random(5)
    engine = open_searched(store, proxy.url, elasticsearch_name, batch_size=7)
    engine.catch_up()
    for round_ in range(12):
        fill(store, 15, seed=15 * round_)
        proxy.cut_after = chance.randrange(4000)
        engine.catch_up()

    assert_tracks_straight(store, engine)
    assert proxy.cuts > 6


def test_a_batch_whose_answer_is_lost_is_repeated_and_changes_nothing(
    store: EventStore, proxy: Proxy, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    fill(store, 30)
    engine = open_searched(store, proxy.url, elasticsearch_name)
    lost = []

    def lose(piece: bytes) -> None:
        if b"/_bulk" in piece and len(lost) < 2:
            lost.append(piece)
            elasticsearch_server.ask("/_cluster/health")  # and the proxy passes nothing on to us
            threading.Timer(0.05, proxy.drop).start()

    proxy.on_request = lose
    engine.catch_up()

    assert lost
    assert_tracks_straight(store, engine)


def test_a_busy_server_is_asked_again_after_a_pause(store: EventStore, proxy: Proxy, elasticsearch_name: str) -> None:
    fill(store, 30)
    engine = open_searched(store, proxy.url, elasticsearch_name)
    proxy.busy = 3

    engine.catch_up()

    assert proxy.busy == 0
    assert_tracks_straight(store, engine)


def test_a_server_that_is_away_stops_its_targets_only_and_says_so_until_it_is_back(
    store: EventStore, proxy: Proxy, elasticsearch_name: str
) -> None:
    fill(store, 10)
    engine = open_searched(store, proxy.url, elasticsearch_name)
    engine.catch_up()
    proxy.busy = 10**6
    fill(store, 20, seed=10)

    with pytest.raises(TargetUnavailable, match="has too much to do"):
        engine.catch_up()

    states = {track.name: status_of(store, track) for track in engine.tracks}
    assert states["stock"].state == "live"
    assert states["stock"].position == store.head()
    for name in ("stock", "totals"):
        away = states[f"{elasticsearch_name}-{name}"]
        assert (away.state, away.lag > 0) == ("failed", True)
        assert "has too much to do" in str(away.error)

    proxy.busy = 0
    engine.catch_up()

    assert_tracks_straight(store, engine)
    assert [status_of(store, track).error for track in engine.tracks] == [None] * 3


def test_while_a_server_hangs_the_worker_keeps_the_other_targets_up_to_date(
    sqlite_url: str, proxy: Proxy, elasticsearch_name: str
) -> None:
    projections = searched(proxy.url, elasticsearch_name, timeout=3.0)
    with Application(sqlite_url, projections=projections, events=EVENTS) as app, app.worker():
        fill(app.store, 10)
        table, *remote = app.engine.tracks
        wait_for(lambda: all(position_of_track(each) == app.store.head() for each in app.engine.tracks))
        proxy.hold = True

        begun = time.monotonic()
        for n in range(5):
            fill(app.store, 1, seed=10 + n)
            wait_for(lambda: position_of_track(table) == app.store.head(), 2.0)
        taken = time.monotonic() - begun

        assert all(position_of_track(each) < app.store.head() for each in remote)
        proxy.hold = False
        proxy.drop()
        wait_for(lambda: all(position_of_track(each) == app.store.head() for each in remote), 60.0)
        assert_tracks_straight(app.store, app.engine)
    assert taken < 10


def test_what_one_target_has_written_is_not_folded_again_for_the_other(
    sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    folded: list[int] = []

    @projection("counted")
    def counted(row: Thing | None, recorded: Recorded[Added]) -> Thing:
        folded.append(recorded.position)
        return Thing(recorded.stream_id, recorded.event.number)

    with open_store(sqlite_url, events=THINGS) as store:
        migrate(store)
        index = ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url)
        engine = Engine(store, [counted.into(SqlTable("things"), index)], batch_size=4)
        for n in range(10):
            store.append(f"thing-{n}", [Added(n)])
        engine.catch_up()

        assert sorted(folded) == [each.position for each in store.read_log()]
        assert rows_of_track(engine.tracks[0]) == rows_of_track(engine.tracks[1]) != {}


@pytest.fixture
def engine(sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str) -> Iterator[Engine]:
    """The contract's things, in an index of their own."""
    with open_store(sqlite_url, events=THINGS) as store:
        migrate(store)
        yield Engine(store, [things.into(ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url))])


def test_a_batch_that_comes_after_a_newer_one_changes_nothing_and_brings_no_deleted_row_back(engine: Engine) -> None:
    live = engine.tracks[0].target.create("of the fold", live=True)
    assert live.apply(Change({"a": Thing("a", 1), "b": Thing("b", 1)}, 0, 10, 2))
    assert live.apply(Change({"a": None, "b": Thing("b", 2)}, 10, 20, 2))

    index = live._rows(live.info)  # type: ignore[attr-defined]
    for position in (9, 10, 19, 20):  # a worker that was paused after it had asked for the position
        index.write({"a": Thing("a", 99), "b": Thing("b", 99)}, position)

    assert live.fetch(["a", "b"]).rows == {"b": Thing("b", 2)}
    assert live.fetch(["a", "b"]).ahead == {"a": 20, "b": 20}


def test_rows_that_are_ahead_of_the_position_are_not_folded_twice(engine: Engine) -> None:
    store, track = engine.store, engine.tracks[0]
    for n in range(1, 9):
        store.append(f"thing-{n % 2}", [Added(n)])
    track.refresh()
    index = track.generation._rows(track.generation.info)  # type: ignore[attr-defined]
    index.write({"1": Thing("1", 1 + 3)}, 4)  # as a worker leaves them that is killed before it writes the position

    engine.catch_up()

    assert rows_of_track(track) == {"0": Thing("0", 20), "1": Thing("1", 16)}


def test_a_writer_that_comes_late_makes_no_index_of_its_own(
    engine: Engine, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    target = engine.tracks[0].target
    target.create("of the fold", live=True)
    late = target.create("of the fold", live=False)
    assert late.apply(Change({"a": Thing("a", 1)}, 0, 1, 1))
    index = late._rows(late.info)  # type: ignore[attr-defined]
    target.drop(late.number)

    with pytest.raises(Exception, match=r"no such index|require_alias"):
        index.write({"a": Thing("a", 1)}, 2)

    assert [each for each in elasticsearch_server.indices(f"{elasticsearch_name}*") if "__g2" in each] == []


def test_the_alias_is_mended_after_a_crash_between_the_swap_and_the_alias(
    engine: Engine, elasticsearch_server: Elasticsearch, elasticsearch_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, track = engine.store, engine.tracks[0]
    store.append("thing-a", [Added(1)])
    engine.catch_up()
    with monkeypatch.context() as patch:
        patch.setattr(track.target._alias, "follow", lambda: (_ for _ in ()).throw(KeyboardInterrupt))  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            rebuild(store, track)
    assert "__g1" in shown(elasticsearch_server, elasticsearch_name)

    index = ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url)
    restarted = Engine(store, [things.into(index)])
    store.append("thing-a", [Added(1)])
    restarted.catch_up()

    assert "__g2" in shown(elasticsearch_server, elasticsearch_name)
    assert rows_of_track(restarted.tracks[0]) == {"a": Thing("a", 2)}


def shown(server: Elasticsearch, alias: str) -> str:
    (index,) = server.ask(f"/_alias/{alias}")
    return str(index)


def test_an_index_that_somebody_has_removed_is_said_to_be_missing(
    engine: Engine, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    engine.store.append("thing-a", [Added(1)])
    engine.catch_up()
    elasticsearch_server.ask(f"/{shown(elasticsearch_server, elasticsearch_name)}", "DELETE")
    engine.store.append("thing-a", [Added(1)])

    with pytest.raises(NeedsRebuild, match=r"the rows of generation 1 .* are missing where they were kept"):
        engine.catch_up()

    rebuild(engine.store, engine.tracks[0])
    assert rows_of_track(engine.tracks[0]) == {"a": Thing("a", 2)}


class Measured(Event, event_type="faults-measured"):
    value: float


class Gauge(Struct, frozen=True):
    key: str
    value: float = 0.0


@projection("gauges")
def gauges(row: Gauge | None, recorded: Recorded[Measured]) -> Gauge:
    """The number 3 is more than a gauge can show."""
    value = recorded.event.value
    return Gauge(recorded.stream_id, float("inf") if value == 3 else value)


def test_rows_that_do_not_fit_are_named_and_the_others_are_written(
    elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    index = ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url, fields={"value": {"type": "ip"}})
    with open_store("memory://", events=(Measured,)) as store:
        engine = Engine(store, [gauges.into(index)])
        live = engine.tracks[0].target.create("f", live=True)

        with pytest.raises(RowsRefused) as refused:
            live.apply(Change({"a": Gauge("a", 1.5), "b": Gauge("b", float("inf")), "c": None}, 0, 1, 1))

        assert list(refused.value.reasons) == ["b", "a"]
        assert "finite number" in refused.value.reasons["b"]
        assert "failed to parse field [value] of type [ip]" in refused.value.reasons["a"]
        assert live.fetch(["c"]).ahead == {"c": 1}
        assert live.info.position == 0


def test_where_a_projection_is_to_stand_still_an_event_whose_row_does_not_fit_stops_it(
    elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    with open_store("memory://", events=(Measured,)) as store:
        for n in range(6):
            store.append(f"gauge-{n}", [Measured(float(n))])
        index = ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url)
        engine = Engine(store, [gauges.into(index, poison=STANDS_STILL)])

        with pytest.raises(ProjectionFailed, match=r"position 4, key '3'.*expected a finite number, got inf"):
            engine.catch_up()

        assert position_of_track(engine.tracks[0]) == 3
        assert "finite number" in str(status_of(store, engine.tracks[0]).error)


def test_given_a_server_that_is_killed_in_the_middle_of_a_bulk_and_restarted_then_the_index_equals_the_fold(
    store: EventStore, private_elasticsearch: ElasticsearchServer, elasticsearch_name: str
) -> None:
    killers: list[threading.Thread] = []

    def kill(piece: bytes) -> None:
        if b"/_bulk" in piece and not killers:
            killers.append(threading.Thread(target=private_elasticsearch.kill))
            killers[0].start()

    with Proxy(private_elasticsearch.url) as proxy:
        engine = open_searched(store, proxy.url, elasticsearch_name, batch_size=5)
        fill(store, 40)
        for _ in range(3):
            engine.step()
        fill(store, 40, seed=40)
        proxy.on_request = kill
        while engine.step():
            pass
        killers[0].join()
        assert status_of(store, engine.tracks[1]).lag > 0

        private_elasticsearch.start()
        engine.catch_up()

        assert_tracks_straight(store, engine)
