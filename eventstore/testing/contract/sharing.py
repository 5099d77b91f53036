"""Two stores on one log: what one writes, the other reads, hears of and respects."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventstore.async_store import AsyncEventStore
from eventstore.errors import AppendConditionFailed, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.query import AppendCondition, Query
from eventstore.subscription import subscribe
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, StoreFactory
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn


class Sharing(StoreCases):
    """Left out where a backend says `shares_log = False`."""

    needs = "shares_log"

    def test_a_second_store_reads_what_the_first_wrote(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()

        one.append("account-1", [Deposited(1)])

        assert list(other.read_log()) == list(one.read_log())
        assert other.head() == one.head() > 0

    def test_the_log_outlives_the_store_that_wrote_it(self, open_store: StoreFactory) -> None:
        one = open_store()
        one.append("account-1", [Deposited(1)])
        one.close()

        assert [each.event for each in open_store().read_log()] == [Deposited(1)]

    def test_an_expected_version_holds_between_stores(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()
        one.append("account-1", [Deposited(1)], expected=NO_STREAM)

        with pytest.raises(WrongExpectedVersion):
            other.append("account-1", [Deposited(2)], expected=NO_STREAM)

    def test_a_condition_holds_between_stores(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()
        condition = AppendCondition(Query.of(Deposited))
        one.append("account-1", [Deposited(1)], condition=condition)

        with pytest.raises(AppendConditionFailed):
            other.append("account-2", [Deposited(2)], condition=condition)

    def test_appends_through_two_stores_give_versions_without_gaps_or_doubles(self, open_store: StoreFactory) -> None:
        stores = [open_store(), open_store()]
        start = threading.Barrier(6)

        def write(n: int) -> list[int]:
            start.wait(PATIENCE_SECONDS)
            return [stores[n % 2].append("account-1", [Deposited(n)]).versions["account-1"] for _ in range(15)]

        with ThreadPoolExecutor(6) as pool:
            versions = sorted(version for own in pool.map(write, range(6)) for version in own)

        assert versions == list(range(1, 91))
        assert [each.version for each in stores[0].read_stream("account-1")] == versions

    def test_of_two_stores_that_begin_a_stream_at_once_exactly_one_succeeds(self, open_store: StoreFactory) -> None:
        stores = [open_store(), open_store()]
        start = threading.Barrier(2)

        def begin(n: int) -> list[bool]:
            won = []
            for i in range(20):
                start.wait(PATIENCE_SECONDS)
                try:
                    stores[n].append(f"account-{i}", [Deposited(n)], expected=NO_STREAM)
                except WrongExpectedVersion:
                    won.append(False)
                else:
                    won.append(True)
            return won

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(begin, range(2))

        assert all(one != other for one, other in zip(first, second, strict=True))
        assert stores[0].backend.count() == 20

    def test_an_append_through_one_store_wakes_the_listeners_of_the_other(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()
        rung = threading.Event()
        other.signal.add(rung.set)
        other.listen()

        one.append("account-1", [Deposited(1)])

        assert rung.wait(PATIENCE_SECONDS)

    def test_an_append_through_one_store_reaches_a_subscription_of_the_other(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()

        with subscribe(other) as subscription, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(subscription.poll, 10 * PATIENCE_SECONDS)
            one.append("account-1", [Withdrawn(1)])
            batch = waiting.result(PATIENCE_SECONDS)

        assert batch is not None
        assert [each.event for each in batch.events] == [Withdrawn(1)]

    def test_an_append_through_one_store_reaches_a_task_on_the_other(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()

        async def main() -> object:
            async with AsyncEventStore(other).subscribe() as subscription:
                waiting = asyncio.ensure_future(anext(aiter(subscription)))
                await AsyncEventStore(one).append("account-1", [Withdrawn(1)])
                return (await asyncio.wait_for(waiting, PATIENCE_SECONDS)).event

        assert asyncio.run(main()) == Withdrawn(1)

    def test_a_store_may_be_listened_to_twice_and_closed_twice(self, open_store: StoreFactory) -> None:
        one, other = open_store(), open_store()
        other.listen()
        other.listen()
        other.close()
        other.close()

        one.append("account-1", [Deposited(1)])

        assert one.head() > 0
