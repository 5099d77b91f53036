"""Generations: made, swapped and dropped, one of them live."""

import pytest

from projections.errors import GenerationDropped
from projections.selection import Selection
from projections.target import BoundTarget, Change
from projections.testing.contract.base import FINGERPRINT, TargetCases, apply, reading, rows_of, states_of, write
from projections.testing.contract.vocabulary import Thing


class Generations(TargetCases):
    """What a rebuild stands on."""

    def test_there_are_no_generations_and_no_position_before_the_first(self, bound: BoundTarget) -> None:
        with bound.reading() as reader:
            position = reader.position

        assert bound.generations() == []
        assert position == 0

    def test_a_new_generation_is_empty_and_stands_before_all_events(self, bound: BoundTarget) -> None:
        made = bound.create(FINGERPRINT, live=True)

        info = made.info
        assert (info.number, info.state, info.fingerprint) == (1, "live", FINGERPRINT)
        assert (info.position, info.events, info.error) == (0, 0, None)
        assert (info.projection, bound.generations()) == ("things", [info])
        assert rows_of(bound, made) == []

    def test_when_the_live_one_is_made_twice_then_there_is_one(self, bound: BoundTarget) -> None:
        numbers = {bound.create(FINGERPRINT, live=True).number for _ in range(2)}

        assert numbers == {1}
        assert states_of(bound) == [(1, "live")]

    def test_when_one_is_built_for_the_same_fingerprint_twice_then_there_is_one(self, bound: BoundTarget) -> None:
        bound.create("of the fold before", live=True)

        numbers = [bound.create(each, live=False).number for each in (FINGERPRINT, FINGERPRINT, "of another fold")]

        assert numbers == [2, 2, 3]
        assert states_of(bound) == [(1, "live"), (2, "building"), (3, "building")]

    def test_what_is_built_is_not_read_before_the_swap(self, bound: BoundTarget) -> None:
        write(bound.create(FINGERPRINT, live=True), Thing("a", 1))
        built = bound.create(FINGERPRINT, live=False)
        write(built, Thing("b", 2))

        before = _read(bound)
        swapped = bound.swap(built)
        after = _read(bound)

        assert swapped
        assert (before, after) == ([Thing("a", 1)], [Thing("b", 2)])
        assert states_of(bound) == [(1, "retired"), (2, "live")]

    def test_a_retired_generation_is_still_readable(self, bound: BoundTarget) -> None:
        first = bound.create(FINGERPRINT, live=True)
        write(first, Thing("a", 1))
        built = bound.create(FINGERPRINT, live=False)
        write(built, Thing("b", 2))

        bound.swap(built)

        assert rows_of(bound, first) == [Thing("a", 1)]
        assert first.fetch(["a"]).rows == {"a": Thing("a", 1)}

    def test_a_generation_behind_the_live_one_is_not_swapped_in(self, bound: BoundTarget) -> None:
        write(bound.create(FINGERPRINT, live=True), Thing("a", 1))
        behind = bound.create(FINGERPRINT, live=False)

        swapped = bound.swap(behind)

        assert not swapped
        assert states_of(bound) == [(1, "live"), (2, "building")]
        assert _read(bound) == [Thing("a", 1)]

    def test_a_retired_generation_is_reopened_catches_up_and_takes_its_place_again(self, bound: BoundTarget) -> None:
        first = bound.create(FINGERPRINT, live=True)
        write(first, Thing("a", 1))
        built = bound.create(FINGERPRINT, live=False)
        write(built, Thing("b", 2))
        bound.swap(built)

        outcomes = [bound.reopen(number) for number in (1, 1, 2, 7)]
        epoch = first.info.checkpoints[0].epoch
        caught_up = first.apply(Change({"c": Thing("c", 3)}, 1, 2, 1, epoch=epoch))
        swapped = bound.swap(first)

        assert outcomes == [True, False, False, False]
        assert (caught_up, swapped) == (True, True)
        assert states_of(bound) == [(1, "live"), (2, "retired")]
        assert sorted(_read(bound), key=lambda row: row.key) == [Thing("a", 1), Thing("c", 3)]

    def test_a_generation_that_is_dropped_is_gone_and_its_number_is_not_the_others(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        write(live, Thing("a", 1))
        dropped = bound.create(FINGERPRINT, live=False)

        bound.drop(dropped.number)

        assert states_of(bound) == [(1, "live")]
        assert rows_of(bound, live) == [Thing("a", 1)]

    def test_the_live_generation_is_not_dropped(self, bound: BoundTarget) -> None:
        live = bound.create(FINGERPRINT, live=True)
        write(live, Thing("a", 1))

        bound.drop(live.number)

        assert states_of(bound) == [(1, "live")]
        assert _read(bound) == [Thing("a", 1)]

    def test_what_was_dropped_says_so_when_it_is_asked(self, bound: BoundTarget) -> None:
        bound.create(FINGERPRINT, live=True)
        dropped = bound.create(FINGERPRINT, live=False)
        bound.drop(dropped.number)

        with pytest.raises(GenerationDropped):
            _ = dropped.info
        with pytest.raises(GenerationDropped):
            dropped.fetch(["a"])
        with pytest.raises(GenerationDropped):
            bound.swap(dropped)

    def test_dropping_what_is_not_there_does_nothing(self, bound: BoundTarget) -> None:
        bound.create(FINGERPRINT, live=True)

        bound.drop(7)

        assert states_of(bound) == [(1, "live")]

    def test_a_generation_begins_anew_after_others_were_dropped(self, bound: BoundTarget) -> None:
        bound.create(FINGERPRINT, live=True)
        dropped = bound.create(FINGERPRINT, live=False)
        write(dropped, Thing("old"))
        bound.drop(dropped.number)

        made = bound.create(FINGERPRINT, live=False)

        assert made.info.position == 0
        assert rows_of(bound, made) == []
        assert apply(made, {"new": Thing("new")})


def _read(bound: BoundTarget) -> list[Thing]:
    with reading(bound) as reader:
        return reader.select(Selection())
