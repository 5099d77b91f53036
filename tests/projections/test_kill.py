"""kill -9 at random points of appending, projecting and rebuilding: rows and checkpoint always belong together."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from projections import rebuild
from projections.selection import Order, Selection
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    assert_each_partition_straight,
    assert_straight,
    fill,
    open_engine,
    position_of,
    rows_of,
)

KILLS = {"sqlite": 26, "postgresql": 10}
ROOT = Path(__file__).parents[2]


@contextmanager
def victim(url: str, seed: int, work: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process at work; its reports can be read. It is killed at the end."""
    command = [sys.executable, "-m", "tests.projections.victim", url, str(seed), work]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            assert reports_of(process).readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def reports_of(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def run_until_killed(url: str, seed: int, work: str) -> int:
    """Runs a victim up to a random number of reports, kills it at once, and returns how many it made."""
    wanted = random.Random(seed).randrange(40)
    with victim(url, seed, work) as process:
        return sum(len(reports_of(process).read(1)) for _ in range(wanted))


def seeds(url: str) -> range:
    return range(KILLS[url.partition(":")[0]])


def test_given_a_process_killed_while_it_projects_then_every_table_equals_the_fold_up_to_its_checkpoint(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    reported, moved = 0, 0
    for seed in seeds(url):
        reported += run_until_killed(url, seed, "project")

        survivor = open_engine(store)
        assert all(track.generation for track in survivor.tracks)  # made here if it died before it came to that
        assert_each_partition_straight(store, survivor)
        moved += position_of(survivor, "totals") > 0
    assert len({each.event_id for each in store.read_log()}) >= reported
    assert moved > len(seeds(url)) / 2

    survivor = open_engine(store)
    survivor.catch_up()

    assert position_of(survivor, "stock") == position_of(survivor, "totals") == store.head()
    assert_straight(store, survivor)


def test_given_a_process_killed_while_it_rebuilds_then_every_generation_equals_the_fold_and_the_next_rebuild_goes_on(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    fill(store, 60)
    engine = open_engine(store)
    engine.catch_up()
    half_built = 0
    for seed in seeds(url):
        run_until_killed(url, seed, "rebuild")

        assert_each_partition_straight(store, engine)
        states = [each.state for track in engine.tracks for each in track.target.generations()]
        half_built += "building" in states
        assert states.count("live") == len(engine.tracks)
    assert half_built > len(seeds(url)) / 3

    for track in engine.tracks:
        rebuild(store, track)
    engine.catch_up()

    assert_straight(store, engine)


def test_while_another_process_rebuilds_and_swaps_a_reader_sees_all_rows_at_any_time(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    fill(store, 60)
    engine = open_engine(store)
    engine.catch_up()
    expected, track = rows_of(engine, "stock"), engine.find("stock")[0]
    all_of_them = Selection(order=(Order("item"),))

    numbers = set()
    with victim(url, 1, "rebuild-quietly") as process:
        while len(numbers) < 4:
            assert reports_of(process).read(1) == b"."
            with track.target.reading() as reader:
                assert {row.item: row for row in reader.select(all_of_them)} == expected
            numbers |= {each.number for each in track.target.generations() if each.state == "live"}
