"""Several processes over one projection, as the command line starts them: killed at any point, they lose and repeat nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventfold import EventStore
from projections import Engine, status_of
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    assert_counted_once,
    assert_each_partition_straight,
    assert_straight,
    divided,
    fill,
    positions,
    rows_of,
)

ROOT = Path(__file__).parents[2]


@contextmanager
def eventfold(url: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command at work; it and all that it has started are gone at the end."""
    command = [sys.executable, "-m", "eventfold", *arguments]
    environment = {**os.environ, "EVENTFOLD_APP": "tests.projections.divided_app:app", "EVENTFOLD_DATABASE": url}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            kill([*children_of(process.pid), process.pid])


def ended(process: "subprocess.Popen[str]") -> Any:
    """What a command has said, once it has ended well."""
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(out) if out else errors


def children_of(pid: int) -> list[int]:
    """Those of all of its threads."""
    found = list[int]()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(each) for each in listed.read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is at work; one that is dead and was not asked for its end yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def await_children(process: "subprocess.Popen[str]", count: int, but: Sequence[int] = ()) -> list[int]:
    waiting = threading.Event()
    while len(found := [each for each in children_of(process.pid) if each not in but]) < count:
        assert process.poll() is None, process.communicate()
        waiting.wait(0.02)
    return found


def await_building(engine: Engine, position: int) -> int:
    """Waits until a rebuild has written more than was there; returns where its partitions then stand together."""
    waiting = threading.Event()
    while True:
        for each in engine.find("stock")[0].target.generations():
            if each.state == "building" and (written := sum(at.position for at in each.checkpoints)) > position:
                return written
        waiting.wait(0.02)


def test_two_processes_rebuild_what_one_does(url: str, open_store: OpenShop) -> None:
    store = open_store()
    fill(store, 60)
    engine = Engine(store, divided(3))
    engine.catch_up()
    before = rows_of(engine, "stock")

    with eventfold(url, "projections", "rebuild", "stock", "--processes", "2", "--format", "json") as process:
        (row,) = ended(process)

    status = status_of(store, engine.find("stock")[0])
    assert (row["generation"], row["events"]) == (2, status.events)
    assert (status.state, status.generation, status.position) == ("live", 2, store.head())
    assert rows_of(engine, "stock") == before
    assert_counted_once(store, engine)


@pytest.mark.parametrize("seed", range(2))
def test_when_processes_of_a_rebuild_are_killed_then_they_begin_again_where_they_were(
    url: str, open_store: OpenShop, seed: int
) -> None:
    chance = random.Random(seed)
    store = open_store()
    fill(store, 120, seed=seed)
    engine = Engine(store, divided())
    engine.catch_up()

    arguments = ("rebuild", "stock", "--processes", "2", "--max-rate", "60", "--max-memory", "1", "--format", "json")
    with eventfold(url, "projections", *arguments) as process:
        gone: list[int] = []
        written = 0
        for _ in range(2):
            running = await_children(process, 1, gone)
            written = await_building(engine, written)
            gone.append(chance.choice(running))
            kill(gone[-1:])
        ended(process)

    assert status_of(store, engine.find("stock")[0]).generation == 2
    assert_each_partition_straight(store, engine)
    engine.catch_up()
    assert_straight(store, engine)
    assert_counted_once(store, engine)


def test_when_a_whole_rebuild_is_killed_then_the_next_one_goes_on(url: str, open_store: OpenShop) -> None:
    store = open_store()
    fill(store, 120)
    engine = Engine(store, divided())
    engine.catch_up()

    slow = ("--processes", "2", "--max-rate", "60", "--max-memory", "1")
    with eventfold(url, "projections", "rebuild", "stock", *slow) as process:
        running = await_children(process, 2)
        written = await_building(engine, 0)
        kill([process.pid, *running])
    with eventfold(url, "projections", "rebuild", "stock", "--format", "json") as process:
        (row,) = ended(process)

    assert written > 0
    assert row["generation"] == 2
    assert row["events"] < engine.find("stock")[0].target.generations()[-1].events
    engine.catch_up()
    assert_straight(store, engine)
    assert_counted_once(store, engine)


def test_a_trial_run_counts_and_changes_nothing(url: str, open_store: OpenShop) -> None:
    store = open_store()
    fill(store, 40)
    engine = Engine(store, divided())
    engine.catch_up()
    before = [each.target.generations() for each in engine.tracks]

    with eventfold(url, "projections", "rebuild", "--all", "--dry-run", "--processes", "2", "-f", "json") as process:
        rows = ended(process)

    assert [(each["projection"], each["events"]) for each in rows] == [
        (each.projection.name, each.target.generations()[0].events) for each in engine.tracks
    ]
    assert all(each["rate"] > 0 for each in rows)
    assert [each.target.generations() for each in engine.tracks] == before


def test_processes_of_a_worker_share_the_partitions_and_one_that_is_killed_is_replaced(
    url: str, open_store: OpenShop
) -> None:
    store = open_store()
    engine = Engine(store, divided())
    engine.catch_up()
    with eventfold(url, "worker", "run", "--processes", "2") as process:
        first = await_children(process, 2)
        append_and_await(store, engine, 30)
        while len(owners := held_by(engine)) < 2:
            assert process.poll() is None
        kill(first[:1])
        await_children(process, 2, first[:1])
        append_and_await(store, engine, 30)
        last = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()

    assert process.returncode == 0, said
    assert "is started again" in said
    assert len(owners) == 2
    assert not any(map(is_alive, last))
    assert held_by(engine) <= {None, *owners}
    assert_straight(store, engine)
    assert_counted_once(store, engine)


def append_and_await(store: EventStore, engine: Engine, count: int) -> None:
    fill(store, count, seed=store.head())
    waiting = threading.Event()
    while min(positions(engine)) < store.head():
        waiting.wait(0.05)


def held_by(engine: Engine) -> set[str | None]:
    return {at.owner for track in engine.tracks for at in track.generation.info.checkpoints} - {None}


def test_a_worker_whose_supervisor_is_killed_ends(url: str, open_store: OpenShop) -> None:
    open_store()
    with eventfold(url, "worker", "run", "--processes", "2") as process:
        running = await_children(process, 2)
        kill([process.pid])
        process.wait()
        waiting = threading.Event()
        while any(map(is_alive, running)):
            waiting.wait(0.05)
