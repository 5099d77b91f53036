"""Subscriptions and reading for asyncio: the same promises, awaited."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from eventstore.async_store import AsyncEventStore
from eventstore.async_subscription import AsyncSubscription
from eventstore.errors import InvalidInput
from eventstore.store import EventStore
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, StoreFactory, positions
from eventstore.testing.contract.counting import CountingBackend
from eventstore.testing.contract.taking import take_async
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn


class SubscribingAsync(StoreCases):
    """Each case runs its own event loop."""

    def test_a_task_reads_what_a_thread_reads(self, store: EventStore) -> None:
        _given(store, 12)

        async def main() -> None:
            log = AsyncEventStore(store)
            assert [each async for each in log.read_log(page_size=5)] == list(store.read_log())
            assert [each async for each in log.read_log(page_size=4, limit=6, backwards=True)] == list(
                store.read_log(limit=6, backwards=True)
            )
            assert [each async for each in log.read_stream("account-1", page_size=2)] == list(
                store.read_stream("account-1")
            )
            assert await log.stream_version("account-1") == store.stream_version("account-1")
            assert await log.head() == store.head()
            assert await log.position_at(datetime.now(UTC)) == store.position_at(datetime.now(UTC))

        asyncio.run(main())

    def test_a_task_appends_and_closes(self, store: EventStore) -> None:
        async def main() -> None:
            async with AsyncEventStore(store) as log:
                appended = await log.append("account-1", [Deposited(1)], expected=0)
                assert appended.versions == {"account-1": 1}
                assert [each.event async for each in log.read_stream("account-1")] == [Deposited(1)]

        asyncio.run(main())

    @pytest.mark.parametrize("page_size", [1, 4, 1000])
    def test_a_tasks_subscription_catches_up_with_everything_in_order(self, store: EventStore, page_size: int) -> None:
        _given(store, 12)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe(page_size=page_size) as subscription:
                assert await take_async(12, aiter(subscription)) == list(store.read_log())

        asyncio.run(main())

    def test_a_subscription_begins_after_a_position_and_filters(self, store: EventStore) -> None:
        _given(store, 12)
        everything = list(store.read_log())

        async def main() -> None:
            log = AsyncEventStore(store)
            async with log.subscribe(after=everything[3].position, stream="account-1") as subscription:
                wanted = [each for each in everything[4:] if each.stream == "account-1"]
                assert await take_async(len(wanted), aiter(subscription)) == wanted

        asyncio.run(main())

    def test_a_new_event_reaches_a_task_that_waits(self, store: EventStore) -> None:
        _given(store, 2)

        async def main() -> None:
            log = AsyncEventStore(store)
            async with log.subscribe(after=store.head()) as subscription:
                following = asyncio.create_task(take_async(2, aiter(subscription)))
                await log.append("account-1", [Withdrawn(1)])
                await asyncio.to_thread(store.append, "account-1", [Withdrawn(2)])
                found = await asyncio.wait_for(following, PATIENCE_SECONDS)
            assert [each.event for each in found] == [Withdrawn(1), Withdrawn(2)]

        asyncio.run(main())

    def test_a_subscription_follows_many_tasks_and_skips_and_repeats_none(self, store: EventStore) -> None:
        async def main() -> None:
            log = AsyncEventStore(store)
            async with log.subscribe(page_size=7) as subscription:
                following = asyncio.create_task(take_async(60, aiter(subscription)))
                await asyncio.gather(*(log.append(f"account-{n % 5}", [Deposited(n)]) for n in range(60)))
                assert await asyncio.wait_for(following, PATIENCE_SECONDS) == list(store.read_log())

        asyncio.run(main())

    def test_no_page_is_fetched_before_the_task_asks_for_it(self, open_store: StoreFactory) -> None:
        store = open_store()
        _given(store, 10)
        counting = CountingBackend.under(store)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe(page_size=4) as subscription:
                assert counting.log_pages == 0
                reader = aiter(subscription)
                for _ in range(4):
                    await anext(reader)
                assert counting.log_pages == 1
                await anext(reader)
                assert counting.log_pages == 2

        asyncio.run(main())

    def test_a_tasks_position_is_that_of_the_event_in_hand(self, store: EventStore) -> None:
        _given(store, 5)

        async def main() -> list[int]:
            seen = []
            async with AsyncEventStore(store).subscribe() as subscription:
                async for recorded in subscription:
                    assert subscription.position == recorded.position
                    seen.append(recorded.position)
                    if len(seen) == 5:
                        break
            return seen

        assert asyncio.run(main()) == positions(store.read_log())

    def test_a_task_that_iterates_again_goes_on_after_the_event_last_handed_out(self, store: EventStore) -> None:
        _given(store, 6)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe(page_size=4) as subscription:
                found = [
                    *await take_async(2, aiter(subscription)),
                    *await take_async(3, aiter(subscription)),
                    *await take_async(1, aiter(subscription)),
                ]
            assert found == list(store.read_log())

        asyncio.run(main())

    def test_a_tasks_batch_says_where_to_go_on(self, store: EventStore) -> None:
        _given(store, 10)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe(page_size=4) as subscription:
                batches = await take_async(3, subscription.batches())
            everything = positions(store.read_log())
            assert [positions(batch.events) for batch in batches] == [everything[:4], everything[4:8], everything[8:]]
            assert [batch.position for batch in batches] == [everything[3], everything[7], everything[9]]

        asyncio.run(main())

    def test_stopping_ends_a_tasks_iteration_after_the_event_in_hand(self, store: EventStore) -> None:
        _given(store, 10)

        async def main() -> int:
            count = 0
            async with AsyncEventStore(store).subscribe() as subscription:
                async for _ in subscription:
                    count += 1
                    if count == 3:
                        subscription.stop()
            return count

        assert asyncio.run(main()) == 3

    @pytest.mark.parametrize("from_thread", [False, True])
    def test_stopping_wakes_a_task_that_waits(self, store: EventStore, *, from_thread: bool) -> None:
        _given(store, 1)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe() as subscription:
                arrived = asyncio.Event()
                following = asyncio.create_task(_follow(subscription, arrived))
                await asyncio.wait_for(arrived.wait(), PATIENCE_SECONDS)
                if from_thread:
                    thread = threading.Thread(target=subscription.stop)
                    thread.start()
                    await asyncio.to_thread(thread.join)
                else:
                    subscription.stop()
                assert await asyncio.wait_for(following, PATIENCE_SECONDS) == 1

        asyncio.run(main())

    def test_a_cancelled_reader_loses_no_event(self, store: EventStore) -> None:
        _given(store, 6)

        async def main() -> None:
            async with AsyncEventStore(store).subscribe(page_size=2) as subscription:
                found = await take_async(2, aiter(subscription))
                reading = asyncio.create_task(take_async(1, aiter(subscription)))
                await asyncio.sleep(0)  # it has asked for its page now
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                found += await take_async(4, aiter(subscription))
            assert found == list(store.read_log())

        asyncio.run(main())

    def test_a_tasks_subscription_that_makes_no_sense_is_refused(self, store: EventStore) -> None:
        async def main() -> None:
            with pytest.raises(InvalidInput, match="after"):
                AsyncEventStore(store).subscribe(after=-1)

        asyncio.run(main())


async def _follow(subscription: AsyncSubscription, arrived: asyncio.Event) -> int:
    count = 0
    async for _ in subscription:
        count += 1
        arrived.set()
    return count


def _given(store: EventStore, count: int) -> None:
    for n in range(count):
        store.append(f"account-{n % 3}", [Deposited(n)])
