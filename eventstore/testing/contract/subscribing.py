"""Subscriptions: every event once, in order, as soon as it is there."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest

from eventstore.errors import InvalidInput, UnreadableEvent
from eventstore.event import Event
from eventstore.new_event import NewEvent
from eventstore.store import EventStore
from eventstore.subscription import Subscription, subscribe
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, StoreFactory, positions
from eventstore.testing.contract.counting import CountingBackend
from eventstore.testing.contract.taking import take
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn


class OtherDeposited(Event, event_type="Deposited"):
    """The same stored type, declared so that it does not fit."""

    quantity: int


class Subscribing(StoreCases):
    """Catching up, following, and stopping."""

    @pytest.mark.parametrize("page_size", [1, 4, 12, 1000])
    def test_a_subscription_catches_up_with_everything_in_order(self, store: EventStore, page_size: int) -> None:
        _given(store, 12)

        with subscribe(store, page_size=page_size) as subscription:
            found = take(12, subscription)

        assert found == list(store.read_log())

    def test_a_subscription_begins_after_a_position(self, store: EventStore) -> None:
        _given(store, 10)
        everything = positions(store.read_log())

        with subscribe(store, after=everything[6]) as subscription:
            assert positions(take(3, subscription)) == everything[7:]

    def test_a_subscription_from_the_head_sees_only_what_is_new(self, store: EventStore) -> None:
        _given(store, 5)

        with subscribe(store, after=store.head()) as subscription:
            assert subscription.poll(0) is None
            store.append("account-1", [Withdrawn(1)])
            assert [each.event for each in take(1, subscription)] == [Withdrawn(1)]

    def test_a_subscription_filters_as_reading_does(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(n), tags=["even" if n % 2 == 0 else "odd"]) for n in range(20)])
        store.append("user-1", [Withdrawn(n) for n in range(20)])
        filters: dict[str, Any] = {"category": "account", "types": [Deposited], "tags": ["even"]}

        with subscribe(store, page_size=3, **filters) as subscription:
            found = take(10, subscription)

        assert found == list(store.read_log(category="account", types=[Deposited], tags=["even"]))

    def test_a_new_event_wakes_a_subscription_that_waits(self, store: EventStore) -> None:
        _given(store, 2)
        with subscribe(store, after=store.head()) as subscription, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(subscription.poll, 10 * PATIENCE_SECONDS)
            store.append("account-1", [Withdrawn(7)])
            batch = waiting.result(PATIENCE_SECONDS)

        assert batch is not None
        assert [each.event for each in batch.events] == [Withdrawn(7)]

    def test_a_subscription_follows_appends_by_many_threads_and_skips_and_repeats_none(self, store: EventStore) -> None:
        def write(n: int) -> None:
            for i in range(15):
                store.append(f"account-{n}", [Deposited(i), Withdrawn(i)])

        with subscribe(store, page_size=7) as subscription, ThreadPoolExecutor(5) as pool:
            following = pool.submit(take, 120, subscription)
            list(pool.map(write, range(4)))
            found = following.result()

        assert found == list(store.read_log())

    def test_two_subscriptions_see_the_same_independently(self, store: EventStore) -> None:
        _given(store, 6)

        with subscribe(store) as one, subscribe(store) as other:
            first = take(3, one)
            assert take(6, other) == [*first, *take(3, one)]

    def test_no_page_is_fetched_before_the_reader_asks_for_it(self, open_store: StoreFactory) -> None:
        store = open_store()
        _given(store, 10)
        counting = CountingBackend.under(store)

        with subscribe(store, page_size=4) as subscription:
            assert counting.log_pages == 0
            reader = iter(subscription)
            assert len(list(islice(reader, 4))) == 4
            assert counting.log_pages == 1
            next(reader)
            assert counting.log_pages == 2

    def test_a_batch_says_where_to_go_on(self, store: EventStore) -> None:
        _given(store, 10)
        everything = positions(store.read_log())
        with subscribe(store, page_size=4) as subscription:
            batch = subscription.poll(0)
        assert batch is not None
        assert positions(batch.events) == everything[:4]
        assert batch.position == everything[3]

        with subscribe(store, after=batch.position) as subscription:
            assert positions(take(6, subscription)) == everything[4:]

    def test_the_last_batch_reaches_the_head_whatever_was_wanted(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1), Withdrawn(1), Withdrawn(2)])

        with subscribe(store, types=[Deposited]) as subscription:
            batch = subscription.poll(0)
            assert batch is not None
            assert (len(batch.events), batch.position) == (1, store.head())
            assert subscription.poll(0) is None

    def test_batches_of_what_nobody_wants_are_empty_and_move_on(self, store: EventStore) -> None:
        _given(store, 5)

        with subscribe(store, types=[Withdrawn]) as subscription:
            batch = subscription.poll(0)

        assert batch is not None
        assert (batch.events, batch.position) == ([], store.head())

    def test_the_position_is_that_of_the_event_in_hand(self, store: EventStore) -> None:
        _given(store, 5)

        with subscribe(store) as subscription:
            assert subscription.position == 0
            for recorded in islice(subscription, 5):
                assert subscription.position == recorded.position

    def test_iterating_again_goes_on_after_the_event_last_handed_out(self, store: EventStore) -> None:
        _given(store, 6)

        with subscribe(store, page_size=4) as subscription:
            found = [*take(2, subscription), *take(3, subscription), *take(1, subscription)]

        assert found == list(store.read_log())

    def test_poll_returns_none_where_nothing_comes(self, store: EventStore) -> None:
        with subscribe(store) as subscription:
            assert subscription.poll(0) is None
            assert subscription.poll(0.001) is None

    def test_stopping_ends_the_iteration_after_the_event_in_hand(self, store: EventStore) -> None:
        _given(store, 10)

        with subscribe(store) as subscription:
            found = list(_stopping_after(3, subscription))

        assert found == list(store.read_log(limit=3))

    def test_stopping_from_another_thread_wakes_a_subscription_that_waits(self, store: EventStore) -> None:
        _given(store, 1)
        arrived = threading.Event()

        def follow(subscription: Subscription) -> int:
            count = 0
            for _ in subscription:
                count += 1
                arrived.set()
            return count

        with subscribe(store) as subscription, ThreadPoolExecutor(2) as pool:
            following = pool.submit(follow, subscription)
            assert arrived.wait(PATIENCE_SECONDS)
            subscription.stop()
            assert following.result(PATIENCE_SECONDS) == 1

    def test_a_stopped_subscription_hands_out_nothing_more(self, store: EventStore) -> None:
        _given(store, 3)

        with subscribe(store) as subscription, ThreadPoolExecutor(1) as pool:
            subscription.stop()
            waiting = pool.submit(subscription.poll, 10 * PATIENCE_SECONDS)
            assert waiting.result(PATIENCE_SECONDS) is None
            assert list(subscription) == []

    def test_a_closed_subscription_hears_nothing_more(self, store: EventStore) -> None:
        subscription = subscribe(store)
        subscription.close()
        subscription.close()

        store.append("account-1", [Deposited(1)])

        assert list(subscription) == []

    def test_a_subscription_waits_for_a_backend_that_is_away_and_keeps_its_place(
        self, open_store: StoreFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = open_store()
        _given(store, 6)
        counting = CountingBackend.under(store)
        with subscribe(store, page_size=3) as subscription:
            first = take(3, subscription)
            counting.failures = 2
            with caplog.at_level(logging.WARNING):
                store.append("account-1", [Withdrawn(1)])
                found = [*first, *take(4, subscription)]

        assert found == list(store.read_log())
        assert counting.failures == 0

    def test_an_event_that_cannot_be_read_stops_the_subscription_before_it(self, open_store: StoreFactory) -> None:
        store = open_store(events=[OtherDeposited, Withdrawn])
        store.append("account-1", [Withdrawn(1), Withdrawn(2)])
        store.append("account-1", [Deposited(3)])

        with subscribe(store, page_size=2) as subscription:
            reader = iter(subscription)
            assert [each.event for each in islice(reader, 2)] == [Withdrawn(1), Withdrawn(2)]
            for _ in range(2):
                with pytest.raises(UnreadableEvent, match=r"'Deposited' schema 1.*'account-1' version 3.*quantity"):
                    subscription.poll(0)
            assert subscription.position == next(store.read_log(after=1, limit=1, types=[Withdrawn])).position

    @pytest.mark.parametrize(
        ("field", "value"),
        [("after", -1), ("after", "5"), ("after", True), ("after", 2**63), ("page_size", 0), ("category", "a-b")],
    )
    def test_a_subscription_that_makes_no_sense_is_refused(self, store: EventStore, field: str, value: object) -> None:
        with pytest.raises(InvalidInput, match=field):
            subscribe(store, **{field: value})  # type: ignore[arg-type]  # wrong on purpose


def _given(store: EventStore, count: int) -> None:
    for n in range(count):
        store.append(f"account-{n % 3}", [Deposited(n)])


def _stopping_after(count: int, subscription: Subscription) -> Iterator[object]:
    for n, recorded in enumerate(subscription, start=1):
        yield recorded
        if n == count:
            subscription.stop()
