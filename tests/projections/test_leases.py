"""Leases: lanes spread over workers, and whoever comes late is refused by the database, not by its clock."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from eventfold import EventStore
from projections import Engine, rebuild
from projections import batch as batch_module
from projections.leases import Leases
from projections.writing import Outcome, Work
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    assert_counted_once,
    assert_each_partition_straight,
    assert_straight,
    divided,
    fill,
    position_of,
    positions,
)

LONG, ENDED = 600.0, 0.0


def open_lanes(store: EventStore, *, batch_size: int = 5000, partitions: int = 3) -> Engine:
    return Engine(store, divided(partitions), batch_size=batch_size)


def held(engine: Engine) -> list[str | None]:
    """Who holds each lane, as stored."""
    return [each.owner for track in engine.tracks for each in track.generation.info.checkpoints]


def settle(*workers: Leases) -> None:
    for _ in range(3):
        for each in workers:
            each.keep()


def test_a_worker_that_is_alone_holds_everything(store: EventStore) -> None:
    engine = open_lanes(store)

    Leases(engine, name="a", seconds=LONG).keep()

    assert held(engine) == ["a"] * 6


@pytest.mark.parametrize(("workers", "shares"), [(2, [3, 3]), (4, [2, 2, 1, 1]), (6, [1] * 6), (7, [1] * 6 + [0])])
def test_when_others_come_each_gets_its_share_and_when_they_go_the_rest_takes_over(
    open_store: OpenShop, workers: int, shares: list[int]
) -> None:
    engines = [open_lanes(open_store()) for _ in range(workers)]
    all_of_them = [Leases(each, name=f"w{n}", seconds=LONG) for n, each in enumerate(engines)]
    all_of_them[0].keep()
    settle(*all_of_them)
    spread = held(engines[0])
    for each in all_of_them[1:]:
        each.release()
    all_of_them[0].keep()

    assert [spread.count(each.name) for each in all_of_them] == shares
    assert held(engines[0]) == ["w0"] * 6


def test_a_worker_steps_only_what_it_holds(open_store: OpenShop) -> None:
    one, other = open_lanes(open_store()), open_lanes(open_store())
    workers = [Leases(one, name="a", seconds=LONG), Leases(other, name="b", seconds=LONG)]
    settle(*workers)
    fill(one.store, 20)
    while one.step(owner="a"):
        pass

    moved = {(each.owner, each.position) for track in one.tracks for each in track.generation.info.checkpoints}
    assert moved == {("a", one.store.head()), ("b", 0)}
    assert one.caught_up("a")
    assert other.step(owner="b")


def test_a_silent_worker_is_taken_over_and_finds_out(open_store: OpenShop) -> None:
    one, other = open_lanes(open_store()), open_lanes(open_store())
    Leases(one, name="a", seconds=ENDED).keep()

    Leases(other, name="b", seconds=LONG).keep()
    fill(one.store, 5)

    assert held(other) == ["b"] * 6
    assert not one.step(owner="a")
    assert position_of(other, "stock") == 0


def test_lanes_that_others_do_not_know_are_taken_beyond_the_share(open_store: OpenShop) -> None:
    engine, older = open_lanes(open_store()), Engine(open_store(), [])
    worker, other = Leases(engine, name="b", seconds=0.05), Leases(older, name="a", seconds=LONG)
    other.keep()

    while held(engine).count("b") < 6:
        worker.keep()

    worker.keep()
    assert held(engine) == ["b"] * 6


def test_a_rebuild_leaves_the_lanes_with_their_workers(open_store: OpenShop) -> None:
    engine = open_lanes(open_store())
    fill(engine.store, 20)
    worker = Leases(engine, name="a", seconds=LONG)
    worker.keep()

    rebuild(engine.store, engine.find("stock")[0])
    fill(engine.store, 20, seed=20)
    while engine.step(owner="a"):
        pass

    assert held(engine) == ["a"] * 6
    assert_straight(engine.store, engine)
    assert position_of(engine, "stock") == engine.store.head()


Write = Callable[[list[Work]], list[Outcome]]


@pytest.mark.parametrize("seed", range(12))
def test_given_a_worker_paused_before_its_write_and_woken_after_others_took_over_then_nothing_is_written_twice(
    open_store: OpenShop, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    engines = {
        name: open_lanes(open_store(), batch_size=chance.randrange(1, 8), partitions=chance.randrange(1, 4))
        for name in "ab"
    }
    workers = {name: Leases(engine, name=name, seconds=ENDED) for name, engine in engines.items()}
    write_all: Write = batch_module.write_all
    seen, late = list[list[int]](), list[bool]()

    def paused_write(work: list[Work]) -> list[Outcome]:
        """The other worker takes over between the fold and the write, and may write the same batch, and more."""
        if work[0].lane.track not in engines["a"].tracks or chance.randrange(2):
            return write_all(work)
        workers["b"].keep()
        for _ in range(chance.randrange(4)):
            engines["b"].step(owner="b")
        outcomes = write_all(work)
        late.extend(bool(each) for each in outcomes)
        return outcomes

    monkeypatch.setattr(batch_module, "write_all", paused_write)
    for i in range(25):
        fill(engines["a"].store, chance.randrange(4), seed=seed * 1000 + i * 4)
        name = chance.choice("ab")
        workers[name].keep()
        engines[name].step(owner=name)
        seen.append(positions(engines["a"]))

    assert late
    assert not any(late)
    for before, after in pairwise(seen):
        assert all(one <= other for one, other in zip(before, after, strict=True))
    assert_each_partition_straight(engines["a"].store, engines["a"])
    engines["b"].catch_up()
    assert_straight(engines["b"].store, engines["b"])
    assert_counted_once(engines["b"].store, engines["b"])
