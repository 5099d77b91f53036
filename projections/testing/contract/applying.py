"""Changes: rows and position together, or nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

from projections.selection import Selection
from projections.target import BoundTarget, Change
from projections.testing.contract.base import FINGERPRINT, TargetCases, apply, rows_of, write
from projections.testing.contract.vocabulary import Thing

MANY = 500
"""Enough for the bulk way of a target that has one."""


class Applying(TargetCases):
    """What exactly once in effect stands on."""

    def test_rows_and_position_are_written_together(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        applied = live.apply(Change({"a": Thing("a", 1)}, 0, 7, 3))

        info = live.info
        with bound.reading() as reader:
            read = (reader.position, reader.select(Selection()))
        assert applied
        assert (info.position, info.events) == (7, 3)
        assert read == (7, [Thing("a", 1)])

    def test_a_change_from_another_position_is_refused_and_leaves_nothing(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.apply(Change({"a": Thing("a", 1)}, 0, 7, 1))

        outcomes = [live.apply(Change({"a": None, "b": Thing("b")}, start, 9, 1)) for start in (0, 6, 8)]

        assert outcomes == [False] * 3
        assert rows_of(bound, live) == [Thing("a", 1)]
        assert (live.info.position, live.info.events) == (7, 1)

    def test_a_row_is_replaced_whole_and_none_deletes_it(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        write(live, Thing("a", 1, "old"), Thing("b", 2))

        apply(live, {"a": Thing("a", None), "b": None, "never there": None})

        assert rows_of(bound, live) == [Thing("a", None)]

    def test_a_change_without_rows_moves_the_position(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        write(live, Thing("a", 1))

        live.apply(Change({}, 1, 50, 0))

        assert (live.info.position, live.info.events) == (50, 1)
        assert rows_of(bound, live) == [Thing("a", 1)]

    def test_many_rows_are_written_replaced_and_deleted_at_once(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        keys = [f"k{i:04}" for i in range(MANY)]
        apply(live, {key: Thing(key) for key in keys})

        apply(live, {key: Thing(key, 1) if i % 2 else None for i, key in enumerate(keys)})

        assert rows_of(bound, live) == [Thing(key, 1) for key in keys[1::2]]

    def test_fetch_gives_the_rows_that_exist(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        write(live, *[Thing(f"k{i}", i) for i in range(MANY)])

        assert live.fetch([]).rows == {}
        assert live.fetch(["k3", "not there", "k4"]).rows == {"k3": Thing("k3", 3), "k4": Thing("k4", 4)}
        assert len(live.fetch([f"k{i}" for i in range(2 * MANY)]).rows) == MANY

    def test_why_it_stands_still_is_kept_until_it_moves(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        live.apply(Change({}, 0, 0, 0, "an event at fault"))
        stopped = live.info
        apply(live, {})
        moved = live.info

        assert (stopped.error, stopped.position) == ("an event at fault", 0)
        assert moved.error is None
        assert moved.updated_us >= stopped.updated_us > 0

    def test_a_retired_generation_takes_no_change(self, bound: BoundTarget) -> None:
        first = bound.create(FINGERPRINT, live=True)
        write(first, Thing("a", 1))
        built = bound.create(FINGERPRINT, live=False)
        write(built, Thing("a", 1))
        bound.swap(built)

        applied = apply(first, {"a": None})

        assert not applied
        assert rows_of(bound, first) == [Thing("a", 1)]

    def test_a_dropped_generation_takes_no_change(self, bound: BoundTarget) -> None:
        bound.create(FINGERPRINT, live=True)
        dropped = bound.create(FINGERPRINT, live=False)
        bound.drop(dropped.number)

        assert not dropped.apply(Change({"a": Thing("a")}, 0, 1, 1))

    def test_of_many_threads_with_the_same_change_exactly_one_writes(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        together = threading.Barrier(8)

        def change(n: int) -> bool:
            together.wait()
            return live.apply(Change({"a": Thing("a", n)}, 0, 1, 1))

        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(change, range(8)))

        assert outcomes.count(True) == 1
        assert rows_of(bound, live) == [Thing("a", outcomes.index(True))]
        assert live.info.events == 1
