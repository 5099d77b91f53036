"""Leases: one worker holds a partition, and who held it before is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

from projections.target import BoundTarget, Change
from projections.testing.contract.base import FINGERPRINT, TargetCases, rows_of
from projections.testing.contract.vocabulary import Thing

LONG, NONE = 600.0, 0.0


class Leasing(TargetCases):
    """What keeps two workers apart."""

    def test_a_lease_is_held_by_whoever_takes_it_first(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=3)

        live.lease([0, 1], "a", LONG)
        live.lease([1, 2], "b", LONG)

        assert [each.owner for each in live.info.checkpoints] == ["a", "a", "b"]
        assert [each.epoch for each in live.info.checkpoints] == [1, 1, 1]

    def test_a_lease_that_is_renewed_keeps_its_epoch_and_lasts_longer(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.lease([0], "a", 300.0)
        before = live.info.checkpoints[0]

        live.lease([0], "a", LONG)

        after = live.info.checkpoints[0]
        assert (after.owner, after.epoch) == ("a", before.epoch)
        assert after.until_us >= before.until_us + 200_000_000

    def test_a_lease_that_has_ended_is_taken_over_and_the_former_owner_is_refused(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.lease([0], "a", NONE)
        former = live.info.checkpoints[0].epoch

        live.lease([0], "b", LONG)

        at = live.info.checkpoints[0]
        late = live.apply(Change({"k": Thing("k", 1)}, 0, 1, 1, epoch=former))
        own = live.apply(Change({"k": Thing("k", 2)}, 0, 1, 1, epoch=at.epoch))
        assert (at.owner, late, own) == ("b", False, True)
        assert rows_of(bound, live) == [Thing("k", 2)]

    def test_a_lease_is_let_go_by_its_owner_only(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)
        live.lease([0, 1], "a", LONG)

        live.release([0, 1], "b")
        kept = [each.owner for each in live.info.checkpoints]
        live.release([1], "a")
        live.lease([0, 1], "b", LONG)

        assert kept == ["a", "a"]
        assert [each.owner for each in live.info.checkpoints] == ["a", "b"]

    def test_a_lease_leaves_position_and_rows_alone(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.apply(Change({"k": Thing("k")}, 0, 5, 1))

        live.lease([0], "a", LONG)
        live.release([0], "a")

        assert (live.info.position, live.info.events, rows_of(bound, live)) == (5, 1, [Thing("k")])

    def test_a_swap_hands_the_leases_over(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)
        live.lease([0], "a", LONG)
        live.lease([1], "b", LONG)
        built = bound.create(FINGERPRINT, live=False)

        bound.swap(built, partitions=4)

        assert [each.owner for each in built.info.checkpoints] == ["a", "b", "a", "b"]
        assert [each.owner for each in live.info.checkpoints] == [None, None]

    def test_of_many_who_take_a_lease_at_once_one_gets_it(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        together = threading.Barrier(6)

        def take(n: int) -> str | None:
            together.wait()
            live.lease([0], f"worker {n}", LONG)
            return live.info.checkpoints[0].owner

        with ThreadPoolExecutor(6) as threads:
            owners = set(threads.map(take, range(6)))

        assert len(owners) == 1
        assert live.info.checkpoints[0].epoch == 1
