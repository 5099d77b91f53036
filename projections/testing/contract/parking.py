"""Parked events lie beside the checkpoint, and pausing holds everybody: whoever acts on what is no longer so is refused."""

import pytest

from projections.parked import Mended, Parked
from projections.target import BoundTarget, Change, Generation
from projections.testing.contract.base import FINGERPRINT, TargetCases, rows_of
from projections.testing.contract.vocabulary import Thing

AT_FAULT, FOLLOWER = Parked('"a"', 2, "too much", 3), Parked('"a"', 4)


class Parking(TargetCases):
    """What waits aside, and for whom everything waits."""

    def test_events_are_parked_with_the_change_of_their_batch(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        applied = park(live)

        keys, events = live.parked(), live.parked_events('"a"')
        assert applied
        assert (live.info.position, live.info.parked, rows_of(bound, live)) == (5, 3, [Thing("b", 1)])
        assert [(each.key, each.position, each.events, each.attempts, each.error) for each in keys] == [
            ('"a"', 2, 2, 3, "too much"),
            ("null", 3, 1, 1, "no key"),
        ]
        assert [(each.position, each.error, each.attempts) for each in events] == [(2, "too much", 3), (4, None, 0)]
        assert all(each.parked_us > 0 for each in keys)
        assert all(each.parked_us > 0 for each in events)

    def test_a_row_can_be_mended_where_the_partition_stands_and_whoever_folds_on_upon_the_former_one_is_refused(
        self, bound: BoundTarget
    ) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.apply(Change({"b": Thing("b", 1)}, 0, 5, 1))
        epoch = live.info.checkpoints[0].epoch

        elsewhere = live.mend(Mended('"b"', 0, epoch, rows={"b": Thing("b", 7)}, position=4, as_of=4))
        mended = live.mend(Mended('"b"', 0, epoch, rows={"b": Thing("b", 2)}, position=5, as_of=5))
        late = live.apply(Change({"b": Thing("b", 9)}, 5, 6, 1, epoch=epoch))

        at = live.info.checkpoints[0]
        assert (elsewhere, mended, late) == (False, True, False)
        assert live.fetch(["b"]).rows == {"b": Thing("b", 2)}
        assert (at.position, at.epoch, at.events, at.parked, at.discarded) == (5, epoch + 1, 1, 0, 0)

    def test_those_at_a_position_are_found(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)

        found = [live.parked_events(position=position) for position in (3, 4, 5)]
        assert [[each.key for each in events] for events in found] == [["null"], ['"a"'], []]
        assert [each.position for each in live.parked_events()] == [2, 3, 4]

    def test_a_change_that_is_refused_parks_nothing(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        refused = [
            live.apply(Change({}, 7, 8, 0, parked=[AT_FAULT])),
            live.apply(Change({}, 0, 8, 0, epoch=9, parked=[AT_FAULT])),
        ]

        assert refused == [False, False]
        assert (live.parked(), live.info.parked) == ([], 0)

    def test_each_partition_has_its_own(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True, partitions=2)

        live.apply(Change({}, 0, 5, 0, partition=1, parked=[AT_FAULT]))

        assert [each.partition for each in live.parked()] == [1]
        assert [each.parked for each in live.info.checkpoints] == [0, 1]

    def test_readers_are_told_how_many_there_are(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)

        with bound.reading() as reader:
            assert (reader.position, reader.parked) == (5, 3)

    def test_a_mended_key_has_its_row_and_waits_no_longer(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)
        epoch = live.info.checkpoints[0].epoch

        mended = live.mend(Mended('"a"', 0, epoch, [2, 4], {"a": Thing("a", 7)}, 2))

        info = live.info
        assert mended
        assert rows_of(bound, live) == [Thing("a", 7), Thing("b", 1)]
        assert ([each.key for each in live.parked()], info.parked, info.events, info.position) == (["null"], 1, 3, 5)
        assert info.checkpoints[0].epoch > epoch

    def test_what_waits_on_has_its_new_error(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)
        since = live.parked_events('"a"')[1].parked_us

        live.mend(Mended('"a"', 0, live.info.checkpoints[0].epoch, [2], still=Parked('"a"', 4, "worse", 1)))

        assert live.parked_events('"a"') == [Parked('"a"', 4, "worse", 1, since)]

    def test_what_is_discarded_is_counted(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)

        live.mend(Mended("null", 0, live.info.checkpoints[0].epoch, [3], discarded=True))

        assert (live.info.discarded, live.info.parked, live.info.events) == (1, 2, 1)

    @pytest.mark.parametrize(("positions", "later"), [((2, 4), 1), ((2, 3), 0), ((6,), 0)], ids=str)
    def test_what_is_not_parked_like_that_any_more_is_not_mended(
        self, bound: BoundTarget, positions: tuple[int, ...], later: int
    ) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)
        before = live.info

        mended = live.mend(Mended('"a"', 0, before.checkpoints[0].epoch + later, positions, {"a": Thing("a", 7)}, 2))

        assert not mended
        assert (live.info, rows_of(bound, live), len(live.parked_events('"a"'))) == (before, [Thing("b", 1)], 2)

    def test_a_batch_in_hand_is_refused_when_a_key_was_mended_meanwhile(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)
        epoch = live.info.checkpoints[0].epoch
        live.mend(Mended('"a"', 0, epoch, [2, 4], {"a": Thing("a", 7)}, 2))

        applied = live.apply(Change({}, 5, 6, 0, epoch=epoch, parked=[Parked('"a"', 6)]))

        assert not applied
        assert live.parked_events('"a"') == []

    def test_a_generation_takes_its_parked_events_with_it(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        park(live)
        built = bound.create(FINGERPRINT, live=False)
        built.apply(Change({}, 0, 9, 0))
        bound.swap(built)

        late = live.mend(Mended('"a"', 0, 0, [2, 4], {"a": Thing("a", 7)}, 2))
        bound.drop(live.number)

        assert not late
        assert (built.info.parked, built.parked()) == (0, [])

    def test_pausing_holds_for_all_generations_and_a_batch_in_hand_is_refused(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        in_hand = Change({"b": Thing("b")}, 0, 1, 1, epoch=live.info.checkpoints[0].epoch)

        bound.pause(paused=True)
        bound.pause(paused=True)
        bound.create(FINGERPRINT, live=False)

        assert [each.paused for each in bound.generations()] == [True, True]
        assert not live.apply(in_hand)
        bound.pause(paused=False)
        assert [each.paused for each in bound.generations()] == [False, False]

    def test_it_may_be_paused_before_there_are_rows(self, bound: BoundTarget) -> None:
        bound.pause(paused=True)
        bound.create(FINGERPRINT, live=True)

        assert [each.paused for each in bound.generations()] == [True]

    def test_a_generation_that_stands_behind_is_shown_where_that_is_wanted(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        live.apply(Change({"a": Thing("a")}, 0, 5, 1))
        empty = bound.create(FINGERPRINT, live=False)

        swapped = bound.swap(empty, behind=True)

        with bound.reading() as reader:
            assert (swapped, reader.position) == (True, 0)
        assert rows_of(bound, empty) == []

    def test_how_fast_it_goes_is_told(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)

        live.apply(Change({}, 0, 100, 100))

        assert 0 < live.info.checkpoints[0].rate <= 20


def park(generation: Generation) -> bool:
    """Parks two events of a key and one without any, beside a row."""
    keyless = Parked("null", 3, "no key", 1)
    return generation.apply(Change({"b": Thing("b", 1)}, 0, 5, 1, parked=[AT_FAULT, keyless, FOLLOWER]))
