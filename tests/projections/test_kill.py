"""kill -9 at random points of appending, projecting and rebuilding: rows and checkpoint always belong together."""

import random
import subprocess
import sys
from pathlib import Path

from tests.projections.conftest import OpenShop
from tests.projections.shop import assert_straight, open_engine, position_of

KILLS = 26
ROOT = Path(__file__).parents[2]


def run_until_killed(url: str, seed: int) -> int:
    """Runs the victim up to a random number of appends, kills it at once, and returns how many it reported."""
    appends = random.Random(seed).randrange(0, 40)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.projections.victim", url, str(seed)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        reported = len(process.stdout.read(appends))
        process.kill()
        return reported + len(process.stdout.read())


def test_given_a_process_killed_at_random_points_then_every_table_equals_the_fold_up_to_its_checkpoint(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    reported, moved = 0, 0
    for seed in range(KILLS):
        reported += run_until_killed(url, seed)
        survivor = open_engine(store)
        assert all(track.generation for track in survivor.tracks)  # made here if it died before it came to that
        assert_straight(store, survivor)
        moved += position_of(survivor, "totals") > 0
    assert len({each.event_id for each in store.read_log()}) >= reported
    assert moved > KILLS / 2
    survivor = open_engine(store)
    survivor.catch_up()
    assert position_of(survivor, "stock") == position_of(survivor, "totals") == store.head()
    assert_straight(store, survivor)
