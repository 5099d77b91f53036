"""Instants and positions: each finds the other."""

from datetime import UTC, datetime, timedelta

import pytest

from eventstore.errors import InvalidInput, NotFound
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import Deposited

MICROSECOND = timedelta(microseconds=1)


class Instants(StoreCases):
    """A log of a few appends, each with an instant of its own."""

    def test_the_position_at_an_instant_has_exactly_what_was_recorded_by_then_below_it(self, store: EventStore) -> None:
        _given(store)
        log = list(store.read_log())

        for instant in {each.recorded_at + step for each in log for step in (-MICROSECOND, timedelta(0), MICROSECOND)}:
            position = store.position_at(instant)
            below = [each.position for each in log if each.position <= position]
            assert below == [each.position for each in log if each.recorded_at <= instant]

    def test_before_the_first_event_the_position_is_0(self, store: EventStore) -> None:
        _given(store)
        first = next(store.read_log())

        assert store.position_at(first.recorded_at - MICROSECOND) == 0
        assert store.position_at(datetime(1, 1, 1, tzinfo=UTC)) == 0

    def test_after_the_last_event_the_position_is_the_head(self, store: EventStore) -> None:
        _given(store)

        assert store.position_at(datetime(9999, 12, 31, tzinfo=UTC)) == store.head()

    def test_in_an_empty_log_the_position_is_0(self, store: EventStore) -> None:
        assert store.position_at(datetime.now(UTC)) == 0

    def test_an_instant_may_be_given_in_any_time_zone(self, store: EventStore) -> None:
        _given(store)
        instant = list(store.read_log())[4].recorded_at

        from_utc = store.position_at(instant)

        assert store.position_at(instant.astimezone()) == from_utc

    @pytest.mark.parametrize("instant", [datetime(2024, 1, 1), "2024-01-01", None, 5])  # noqa: DTZ001 - the point
    def test_what_is_not_an_instant_is_refused(self, store: EventStore, instant: object) -> None:
        with pytest.raises(InvalidInput, match="datetime with a time zone"):
            store.position_at(instant)  # type: ignore[arg-type]  # wrong on purpose

    def test_the_instant_of_a_position_is_when_its_event_was_recorded(self, store: EventStore) -> None:
        _given(store)

        for each in store.read_log():
            assert store.instant_of(each.position) == each.recorded_at

    def test_the_instant_of_a_position_without_an_event_is_that_of_the_one_before(self, store: EventStore) -> None:
        _given(store)
        *_, last = store.read_log()

        assert store.instant_of(last.position + 5) == last.recorded_at

    @pytest.mark.parametrize("position", [0, 5])
    def test_a_position_with_nothing_at_or_below_it_has_no_instant(self, store: EventStore, position: int) -> None:
        with pytest.raises(NotFound, match=f"position {position}"):
            store.instant_of(position)

    def test_position_and_instant_of_the_same_event_find_each_other(self, store: EventStore) -> None:
        _given(store)
        for each in store.read_log():
            position = store.position_at(store.instant_of(each.position))

            assert position >= each.position
            assert store.instant_of(position) == each.recorded_at


def _given(store: EventStore) -> None:
    for n in range(8):
        store.append(f"account-{n % 2}", [Deposited(n)] * (n % 3 + 1))
