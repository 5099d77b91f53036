"""Partitions: each has a checkpoint of its own, and late writers are told by the epoch."""

from projections.selection import Selection
from projections.target import BoundTarget, Change, Generation
from projections.testing.contract.base import FINGERPRINT, TargetCases, rows_of, states_of
from projections.testing.contract.vocabulary import Thing


class Partitions(TargetCases):
    """What several workers over one read model stand on."""

    def test_each_partition_stands_where_it_was_moved_and_the_whole_where_the_last_one_stands(
        self, bound: BoundTarget
    ) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=3)

        outcomes = [move(live, partition, 0, to) for partition, to in ((0, 7), (2, 9))]
        with bound.reading() as reader:
            before = reader.position
        move(live, 1, 0, 8)

        info = live.info
        with bound.reading() as reader:
            after = (reader.position, len(reader.select(Selection())))
        assert outcomes == [True, True]
        assert [(each.partition, each.position) for each in info.checkpoints] == [(0, 7), (1, 8), (2, 9)]
        assert (info.position, info.furthest, info.events) == (7, 9, 3)
        assert (before, after) == (0, (7, 3))

    def test_a_change_from_where_another_partition_stands_is_refused(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)
        move(live, 0, 0, 7)

        outcomes = [move(live, partition, at, 9) for partition, at in ((1, 7), (0, 0), (2, 0))]

        assert outcomes == [False] * 3
        assert rows_of(bound, live) == [Thing("of 0", 7)]

    def test_the_error_of_one_partition_is_that_of_the_whole(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)

        live.apply(Change({}, 0, 0, 0, "an event at fault", partition=1))

        assert (live.info.error, live.info.checkpoints[0].error) == ("an event at fault", None)

    def test_a_change_of_another_epoch_is_refused_and_leaves_nothing(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        applied = live.apply(Change({"a": Thing("a")}, 0, 1, 1, epoch=1))

        assert not applied
        assert (rows_of(bound, live), live.info.position) == ([], 0)

    def test_whoever_wrote_before_a_swap_is_refused_after_it(self, bound: BoundTarget) -> None:
        first = bound.create(FINGERPRINT, live=True)
        built = bound.create(FINGERPRINT, live=False)
        bound.swap(built)

        outcomes = [each.apply(Change({"a": Thing("a")}, 0, 1, 1)) for each in (first, built)]
        epoch = built.info.checkpoints[0].epoch
        anew = built.apply(Change({"b": Thing("b")}, 0, 1, 1, epoch=epoch))

        assert outcomes == [False, False]
        assert anew
        assert (rows_of(bound, first), rows_of(bound, built)) == ([], [Thing("b")])

    def test_a_swap_changes_the_number_of_partitions(self, bound: BoundTarget) -> None:
        built = bound.create(FINGERPRINT, live=False, partitions=2)
        for partition in (0, 1):
            move(built, partition, 0, 7)

        swapped = bound.swap(built, partitions=3)

        info = built.info
        assert swapped
        assert [(each.partition, each.position) for each in info.checkpoints] == [(0, 7), (1, 7), (2, 7)]
        assert (info.state, info.events) == ("live", 2)
        assert all(
            built.apply(Change({}, 7, 8, 0, partition=each.partition, epoch=each.epoch)) for each in info.checkpoints
        )

    def test_partitions_that_stand_apart_are_not_turned_into_another_number(self, bound: BoundTarget) -> None:
        built = bound.create(FINGERPRINT, live=False, partitions=2)
        move(built, 0, 0, 7)

        refused, kept = bound.swap(built, partitions=3), bound.swap(built, partitions=2)

        assert (refused, kept) == (False, True)
        assert [each.position for each in built.info.checkpoints] == [7, 0]

    def test_a_generation_of_which_a_part_is_behind_a_part_of_the_live_one_is_not_swapped_in(
        self, bound: BoundTarget
    ) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)
        move(live, 1, 0, 5)
        built = bound.create(FINGERPRINT, live=False, partitions=2)
        move(built, 0, 0, 4)
        move(built, 1, 0, 9)

        swapped = bound.swap(built, partitions=2)

        assert not swapped
        assert states_of(bound) == [(1, "live"), (2, "building")]


def move(generation: Generation, partition: int, start: int, to: int) -> bool:
    """Moves a partition by one event, which makes a row of its own."""
    row = Thing(f"of {partition}", to)
    return generation.apply(Change({row.key: row}, start, to, 1, partition=partition))
