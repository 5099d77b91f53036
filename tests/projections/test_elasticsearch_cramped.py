"""A real Elasticsearch that takes little at once: it answers 429, for a whole bulk or for some of its items."""

from collections.abc import Iterator

import pytest

from eventfold import Event, EventStore, Recorded, SqlTable, Struct, TargetUnavailable, projection
from eventfold.migrations import migrate
from eventstore import StreamAppend, open_store
from projections import ElasticsearchIndex, Engine, status_of
from projections.targets.elasticsearch_server import ElasticsearchServer as Server
from projections.testing.contract.vocabulary import EVENTS, Added, things
from tests.projections.searched_shop import assert_tracks_straight
from tests.services.elasticsearch import ElasticsearchServer

THINGS = 800


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url, events=(*EVENTS, Written)) as store:
        migrate(store)
        yield store


@pytest.fixture
def index(private_elasticsearch: ElasticsearchServer, elasticsearch_name: str) -> ElasticsearchIndex:
    """Each bulk is divided among shards, of which some take their part and others have no room for it."""
    return ElasticsearchIndex(elasticsearch_name, url=private_elasticsearch.url, settings={"number_of_shards": 4})


@pytest.fixture
def turned_away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why anything was turned away, each time."""
    reasons: list[str] = []
    unavailable = Server._unavailable

    def noted(server: Server, what: str, error: Exception) -> TargetUnavailable:
        reasons.append(what)
        return unavailable(server, what, error)

    monkeypatch.setattr(Server, "_unavailable", noted)
    return reasons


class Written(Event, event_type="cramped-written"):
    length: int


class Page(Struct, frozen=True):
    key: str
    text: str


@projection("pages")
def pages(row: Page | None, recorded: Recorded[Written]) -> Page:
    return Page(recorded.stream_id, "x " * recorded.event.length)


def test_what_a_full_server_turns_away_is_sent_again_and_nothing_is_lost_nor_doubled(
    store: EventStore, index: ElasticsearchIndex, turned_away: list[str]
) -> None:
    engine = Engine(store, [things.into(SqlTable("things"), index)])
    for n in range(0, 2 * THINGS, 100):
        store.append_all([StreamAppend(f"thing-{i % THINGS}", [Added(i)]) for i in range(n, n + 100)])

    engine.catch_up()

    assert_tracks_straight(store, engine)
    assert any("rejected execution of coordinating operation" in each for each in turned_away), turned_away
    assert any("queue capacity = 1" in each for each in turned_away), turned_away
    assert status_of(store, engine.tracks[1]).error is None


def test_while_a_server_has_no_room_for_a_row_the_status_says_so_and_no_event_is_parked(
    store: EventStore, index: ElasticsearchIndex
) -> None:
    engine = Engine(store, [pages.into(SqlTable("pages"), index)])
    store.append("page-a", [Written(50_000)])

    with pytest.raises(TargetUnavailable, match=r"has too much to do: .*rejected execution"):
        engine.catch_up()

    table, remote = (status_of(store, track) for track in engine.tracks)
    assert (table.state, table.lag) == ("live", 0)
    assert (remote.state, remote.lag, remote.parked) == ("failed", 1, 0)
    assert "has too much to do" in str(remote.error)

    store.append("page-a", [Written(1)])
    engine.catch_up()

    assert_tracks_straight(store, engine)


def test_while_nobody_may_write_to_an_index_the_projection_waits_and_no_event_is_parked(
    store: EventStore, index: ElasticsearchIndex, private_elasticsearch: ElasticsearchServer, elasticsearch_name: str
) -> None:
    engine = Engine(store, [things.into(index)])
    store.append("thing-1", [Added(1)])
    engine.catch_up()
    private_elasticsearch.ask(f"/{elasticsearch_name}/_settings", "PUT", {"index.blocks.write": True})
    store.append("thing-1", [Added(1)])

    with pytest.raises(TargetUnavailable, match=r"has too much to do: .*blocked"):
        engine.catch_up()
    assert status_of(store, engine.tracks[0]).parked == 0

    private_elasticsearch.ask(f"/{elasticsearch_name}/_settings", "PUT", {"index.blocks.write": None})
    engine.catch_up()

    assert_tracks_straight(store, engine)
