"""kill -9 at random points of appending, projecting and rebuilding: rows and checkpoint always belong together."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eventfold import Application
from projections import Engine, rebuild
from projections.partition import partition_of
from projections.selection import Order, Selection
from tests.projections.conftest import OpenShop
from tests.projections.nursery import Nursery
from tests.projections.shop import (
    EVENTS,
    Added,
    Moved,
    assert_counted_once,
    assert_each_partition_straight,
    assert_straight,
    divided,
    fill,
    open_engine,
    position_of,
    positions,
    rows_of,
)
from tests.projections.victim import Sent, echo

KILLS = {"sqlite": 45, "postgresql": 25}
"""By each of the kinds of work; in all more than 200."""
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


def seeds(url: str) -> range:
    return range(KILLS[url.partition(":")[0]])


def after(seed: int) -> int:
    """How many reports a victim lives for."""
    return random.Random(seed).randrange(40)


def test_given_a_process_killed_while_it_projects_then_every_table_equals_the_fold_up_to_its_checkpoint(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    reported, moved = 0, 0
    with Nursery(url) as nursery:
        for seed in seeds(url):
            reported += nursery.run_until_killed(seed, "project", after(seed))

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
    assert_counted_once(store, survivor)


def test_given_a_process_killed_while_it_rebuilds_then_every_generation_equals_the_fold_and_the_next_rebuild_goes_on(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    fill(store, 60)
    engine = open_engine(store)
    engine.catch_up()
    half_built = 0
    with Nursery(url) as nursery:
        for seed in seeds(url):
            nursery.run_until_killed(seed, "rebuild", after(seed))

            assert_each_partition_straight(store, engine)
            states = [each.state for track in engine.tracks for each in track.target.generations()]
            half_built += "building" in states
            assert states.count("live") == len(engine.tracks)
    assert half_built > len(seeds(url)) / 3

    for track in engine.tracks:
        rebuild(store, track)
    engine.catch_up()

    assert_straight(store, engine)


def test_given_one_worker_after_the_other_killed_then_each_partition_equals_the_fold_up_to_its_checkpoint(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    engine = Engine(store, divided())
    engine.catch_up()
    before = positions(engine)
    with Nursery(url) as nursery:
        for seed in seeds(url):
            fill(store, 8, seed=seed * 8)
            nursery.run_until_killed(seed, "work", after(seed) // 4, lambda: fill(store, 1, seed=store.head()))

            assert_each_partition_straight(store, engine)
            now = positions(engine)
            assert all(one >= other for one, other in zip(now, before, strict=True))
            before = now
    engine.catch_up()

    assert max(before) > 0
    assert_straight(store, engine)
    assert_counted_once(store, engine)


def test_given_one_worker_after_the_other_killed_while_it_reacts_then_every_effect_is_there_and_none_is_skipped(
    url: str, open_store: OpenShop
) -> None:
    store, runs = open_store(), len(seeds(url)) // 3
    with Application(url, reactions=[echo], events=(*EVENTS, Sent)) as app, Nursery(url) as nursery:
        _, track = app.parts.reaction("echo")
        before = [0, 0]
        for seed in range(runs):
            fill(store, 8, seed=seed * 8)
            nursery.run_until_killed(seed, "react", after(seed) // 4, lambda: fill(store, 1, seed=store.head()))

            now = [each.position for each in track.generation.info.checkpoints]
            assert all(one >= other for one, other in zip(now, before, strict=True))
            assert_nothing_skipped(app, now)
            before = now
        while track.generation.info.position < app.store.head():  # until the lease of the last one has ended
            app.react()
        sent = assert_nothing_skipped(app, [app.store.head()] * 2)

    assert min(before) > 0
    assert len(sent) - len(set(sent)) <= 2 * runs  # a crash repeats no more than the effect in hand of each partition


def assert_nothing_skipped(app: Application, positions: list[int]) -> list[int]:
    """Up to each partition's position every effect is there, and those of a key were first made in order."""
    found = [each for each in app.store.read_log() if isinstance(each.event, Sent)]
    sent = [each.event.of for each in found]
    for recorded in app.store.read_log(types=[Added, Moved]):
        reached = positions[partition_of(echo.key_of(recorded), 2)]
        assert recorded.position > reached or recorded.position in sent
    for stream in {each.stream for each in found}:
        firsts = list(dict.fromkeys(each.event.of for each in found if each.stream == stream))
        assert firsts == sorted(firsts)
    return sent


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
