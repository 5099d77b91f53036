"""kill -9 at random points of projecting into Elasticsearch and of rebuilding there: afterwards every target equals the fold."""

import random

import pytest

from projections import rebuild
from tests.projections.nursery import Nursery
from tests.projections.searched_shop import assert_tracks_straight, open_searched, position_of_track
from tests.projections.shop import fill, open_shop
from tests.services.elasticsearch import Elasticsearch


def wanted(seed: int) -> int:
    """How many reports a victim lives for."""
    return random.Random(seed).randrange(1, 40)


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(5), id="5"), pytest.param(range(100, 164), id="64", marks=pytest.mark.slow)]
)
def test_given_a_process_killed_while_it_projects_then_every_target_equals_the_fold(
    sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str, seeds: range
) -> None:
    place = (elasticsearch_server.url, elasticsearch_name)
    with open_shop(sqlite_url) as store, Nursery(sqlite_url, *place) as nursery:
        reported = moved = 0
        for seed in seeds:
            before = store.head()
            reported += nursery.run_until_killed(seed, "project", wanted(seed))
            survivor = open_searched(store, *place, batch_size=1 + seed % 20)
            moved += position_of_track(survivor.tracks[-1]) > before
            survivor.catch_up()
            assert_tracks_straight(store, survivor)
        assert store.head() >= reported / 5
        assert moved > len(seeds) / 4, "too few were killed in the middle of their work"


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(3), id="3"), pytest.param(range(200, 264), id="64", marks=pytest.mark.slow)]
)
def test_given_a_process_killed_while_it_rebuilds_then_every_target_equals_the_fold_and_the_alias_shows_it(
    sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str, seeds: range
) -> None:
    server, name = elasticsearch_server, elasticsearch_name
    with open_shop(sqlite_url) as store, Nursery(sqlite_url, server.url, name) as nursery:
        fill(store, 40)
        open_searched(store, server.url, name).catch_up()
        half_built = 0
        for seed in seeds:
            nursery.run_until_killed(seed, "rebuild", wanted(seed))
            survivor = open_searched(store, server.url, name, batch_size=1 + seed % 20)
            half_built += any(
                each.state == "building" for track in survivor.tracks for each in track.target.generations()
            )
            fill(store, 2, seed=store.head())
            survivor.catch_up()
            assert_tracks_straight(store, survivor)
            for track in survivor.tracks[1:]:
                live = next(each for each in track.target.generations() if each.state == "live")
                (shown,) = server.ask(f"/_alias/{track.name}")
                assert shown.startswith(f"{track.name}__g{live.number}-")
        assert half_built > 0

        for track in survivor.tracks:
            rebuild(store, track)
        assert_tracks_straight(store, survivor)
        kept = [each for track in survivor.tracks[1:] for each in track.target.generations()]
        assert len(server.indices(f"{name}*")) == len(kept), "an index was left behind"
