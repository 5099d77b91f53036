"""Under the engine: a target's rows follow the log, and are rebuilt beside the ones that queries see."""

from typing import Any

import pytest

from eventstore import Event, EventStore, Recorded
from eventstore.token import token_of
from projections.engine import Engine
from projections.errors import ProjectionFailed
from projections.parked import Poison
from projections.projection import projection
from projections.query import ModelQuery
from projections.rebuild import rebuild
from projections.selection import Selection
from projections.status import status_of
from projections.target import Target
from projections.testing.contract.base import TargetCases, reading, states_of
from projections.testing.contract.vocabulary import Added, Removed, Thing, things


class Other(Event, event_type="contract-other"):
    """An event that makes no row."""


@projection("things")
def fragile(row: Thing | None, recorded: Recorded[Added | Removed]) -> Thing | None:
    """The same fold, which stumbles over the number 13."""
    if recorded.event == Added(13):
        raise ArithmeticError("thirteen")
    return things(row, recorded)


class Following(TargetCases):
    """The target in use."""

    @pytest.mark.parametrize("batch_size", [1, 3, 5000])
    def test_the_rows_are_those_of_a_straight_fold(self, target: Target, store: EventStore, batch_size: int) -> None:
        for i in range(30):
            store.append(f"thing-{i % 4}", [Added(i), Removed()] if i % 11 == 0 else [Added(i)])

        engine = Engine(store, [things.into(target)], batch_size=batch_size)
        engine.catch_up()

        assert ModelQuery[Thing](engine, engine.tracks[0]).all(after=token_of(store.head())) == _straight(store)
        assert engine.tracks[0].generation.info.position == store.head()

    def test_an_empty_log_gives_no_rows(self, target: Target, store: EventStore) -> None:
        engine = Engine(store, [things.into(target)])

        engine.catch_up()

        assert ModelQuery[Thing](engine, engine.tracks[0]).all(after=token_of(store.head())) == []

    def test_rows_may_come_after_events_that_make_none(self, target: Target, store: EventStore) -> None:
        store.append("other-a", [Other()])
        engine = Engine(store, [things.into(target)])
        engine.catch_up()

        store.append("thing-a", [Added(1)])
        engine.catch_up()

        with engine.tracks[0].target.rows(engine.tracks[0].generation.number) as rows:
            assert list(rows) == [Thing("a", 1)]

    def test_a_query_with_a_token_contains_the_write(self, target: Target, store: EventStore) -> None:
        engine = Engine(store, [things.into(target)])
        query = ModelQuery[Thing](engine, engine.tracks[0])

        for number in (1, 2, 3):
            appended = store.append("thing-a", [Added(number)])
            found = query.get("a", after=token_of(appended.position))
            assert found == Thing("a", sum(range(number + 1)))

    def test_an_event_at_fault_stops_it_after_the_rows_before_it(self, target: Target, store: EventStore) -> None:
        for number in (1, 13, 5):
            store.append("thing-a", [Added(number)])
        engine = Engine(store, [fragile.into(target, poison=Poison(attempts=None))])

        with pytest.raises(ProjectionFailed, match="thirteen"):
            engine.catch_up()

        status = status_of(store, engine.tracks[0])
        with reading(engine.tracks[0].target) as reader:
            assert reader.select(Selection()) == [Thing("a", 1)]
        assert (status.state, status.events) == ("failed", 1)
        assert "thirteen" in str(status.error)

    def test_a_rebuild_makes_equal_rows_and_swaps_them_in(self, target: Target, store: EventStore) -> None:
        for i in range(20):
            store.append(f"thing-{i % 3}", [Added(i)])
        engine = Engine(store, [things.into(target)])
        engine.catch_up()
        track = engine.tracks[0]

        folded = rebuild(store, track)

        assert folded == 20
        assert states_of(track.target) == [(1, "retired"), (2, "live")]
        assert ModelQuery[Thing](engine, track).all(after=token_of(store.head())) == _straight(store)

    def test_after_a_rebuild_it_follows_the_log_again(self, target: Target, store: EventStore) -> None:
        store.append("thing-a", [Added(1)])
        engine = Engine(store, [things.into(target)])
        rebuild(store, engine.tracks[0])

        store.append("thing-a", [Added(2)])
        engine.catch_up()

        assert ModelQuery[Thing](engine, engine.tracks[0]).all(after=token_of(store.head())) == [Thing("a", 3)]


def _straight(store: EventStore) -> list[Any]:
    rows: dict[str, Any] = {}
    for recorded in store.read_log():
        rows[recorded.stream_id] = things(rows.get(recorded.stream_id), recorded)
    return [rows[key] for key in sorted(rows) if rows[key] is not None]
