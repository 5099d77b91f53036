"""Two processes over one target: what one writes, the other sees and respects."""

import threading
from concurrent.futures import ThreadPoolExecutor

from eventstore import EventStore
from eventstore.token import token_of
from projections.engine import Engine
from projections.query import ModelQuery
from projections.selection import Selection
from projections.target import Change, Target
from projections.testing.contract.base import FINGERPRINT, BindTarget, TargetCases, reading, rows_of, states_of, write
from projections.testing.contract.vocabulary import Added, Thing, things


class Sharing(TargetCases):
    """Left out where a target says `shares_rows = False`."""

    needs = "shares_rows"

    def test_another_process_sees_the_generations_and_the_rows(self, bind: BindTarget) -> None:
        one, other = bind(), bind()

        write(one.create(FINGERPRINT, live=True), Thing("a", 1))

        with other.reading() as reader:
            assert (reader.position, reader.select(Selection())) == (1, [Thing("a", 1)])
        assert other.generations() == one.generations() != []

    def test_when_two_make_the_live_generation_at_once_then_there_is_one(self, bind: BindTarget) -> None:
        together = threading.Barrier(4)

        def make(_: int) -> int:
            bound = bind()
            together.wait()
            return bound.create(FINGERPRINT, live=True).number

        with ThreadPoolExecutor(4) as threads:
            numbers = set(threads.map(make, range(4)))

        assert numbers == {1}
        assert states_of(bind()) == [(1, "live")]

    def test_of_two_with_the_same_change_the_second_is_refused(self, bind: BindTarget) -> None:
        one, other = bind(), bind()
        first, second = one.create(FINGERPRINT, live=True), other.create(FINGERPRINT, live=True)

        outcomes = [each.apply(Change({"a": Thing("a", n)}, 0, 1, 1)) for n, each in enumerate((first, second))]

        assert outcomes == [True, False]
        assert rows_of(other, second) == [Thing("a", 0)]

    def test_a_swap_by_another_process_is_seen_at_the_next_read(self, bind: BindTarget) -> None:
        one, other = bind(), bind()
        write(one.create(FINGERPRINT, live=True), Thing("a", 1))
        with reading(other) as reader:
            before = reader.select(Selection())
        built = one.create(FINGERPRINT, live=False)
        write(built, Thing("a", 2))

        one.swap(built)

        with reading(other) as reader:
            after = reader.select(Selection())
        assert (before, after) == ([Thing("a", 1)], [Thing("a", 2)])

    def test_engines_that_take_turns_apply_nothing_twice(self, target: Target, store: EventStore) -> None:
        engines = [Engine(store, [things.into(target)], batch_size=2) for _ in range(3)]
        for i in range(25):
            store.append("thing-a", [Added(1)])
            engines[i % 3].step()

        engines[0].catch_up()

        assert ModelQuery[Thing](engines[1], engines[1].tracks[0]).all(after=token_of(store.head())) == [Thing("a", 25)]
        assert engines[2].tracks[0].target.generations()[0].events == 25
