"""kill -9 at random points of projecting into Elasticsearch: afterwards the index equals the fold."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projections.searched_shop import assert_tracks_straight, open_searched, position_of_track
from tests.projections.shop import open_shop
from tests.services.elasticsearch import Elasticsearch

ROOT = Path(__file__).parents[2]


def run_until_killed(log: str, url: str, name: str, seed: int) -> int:
    """Runs a victim up to a random number of reports, kills it at once, and returns how many it made."""
    wanted = random.Random(seed).randrange(1, 40)
    command = [sys.executable, "-m", "tests.projections.victim_elasticsearch", log, url, name, str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            return len(process.stdout.read(wanted))
        finally:
            process.kill()


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(8), id="8"), pytest.param(range(100, 164), id="64", marks=pytest.mark.slow)]
)
def test_given_a_process_killed_while_it_projects_then_every_target_equals_the_fold(
    sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str, seeds: range
) -> None:
    with open_shop(sqlite_url) as store:
        reported = moved = 0
        for seed in seeds:
            before = store.head()
            reported += run_until_killed(sqlite_url, elasticsearch_server.url, elasticsearch_name, seed)
            survivor = open_searched(store, elasticsearch_server.url, elasticsearch_name, batch_size=1 + seed % 20)
            moved += position_of_track(survivor.tracks[-1]) > before
            survivor.catch_up()
            assert_tracks_straight(store, survivor)
        assert store.head() >= reported / 5
        assert moved > len(seeds) / 4, "too few were killed in the middle of their work"
