"""A partition is read in its order, from where it was handled last, by any number of groups."""

import asyncio
import time

from commands.brokers.broker import partition_of
from commands.testing.brokers.base import (
    BrokerCases,
    Connect,
    awaited,
    introduce,
    message,
    numbers_of,
    read,
    read_all,
    subscribed,
    using,
)


class Reading(BrokerCases):
    """Cases about reading."""

    @awaited
    async def test_reading_goes_on_after_what_was_confirmed(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            await broker.publish([message(channel, number) for number in range(10)])
            first = await subscribed(broker, channel)
            handled = await read(first, 4)
            await first.confirm(handled[-1].position)
            await first.close()

        async with using(connect) as other:
            second = await subscribed(other, channel, after=handled[-1].position)
            assert numbers_of(await read(second, 6)) == [4, 5, 6, 7, 8, 9]

    @awaited
    async def test_what_was_not_confirmed_comes_again(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            await broker.publish([message(channel, number) for number in range(5)])
            first = await subscribed(broker, channel)
            assert numbers_of(await read(first, 3)) == [0, 1, 2]
            await first.close()

            second = await subscribed(broker, channel)
            assert numbers_of(await read(second, 5)) == [0, 1, 2, 3, 4]

    @awaited
    async def test_two_groups_do_not_notice_each_other(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            for group in ("shipping", "billing"):
                await introduce(broker, channel, group)
            await broker.publish([message(channel, number) for number in range(3)])
            shipping = await subscribed(broker, channel, group="shipping")
            handled = await read(shipping, 3)
            await shipping.confirm(handled[-1].position)

            billing = await subscribed(broker, channel, group="billing")

            assert numbers_of(handled) == numbers_of(await read(billing, 3)) == [0, 1, 2]

    @awaited
    async def test_no_more_are_given_than_asked_for(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            await broker.publish([message(channel, number) for number in range(7)])
            reader = await subscribed(broker, channel)

            found = [await reader.receive(3, 5.0)]
            while sum(map(len, found)) < 7:
                found.append(await reader.receive(3, 5.0))

            assert max(map(len, found)) <= 3
            assert [number for each in found for number in numbers_of(each)] == list(range(7))

    @awaited
    async def test_who_waits_is_woken_by_what_comes_and_not_kept_longer_than_asked(
        self, connect: Connect, channel: str
    ) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            reader = await subscribed(broker, channel)
            began = time.monotonic()
            assert await reader.receive(10, 0.2) == []
            assert time.monotonic() - began < 5

            waiting = asyncio.create_task(reader.receive(10, 60.0))
            await asyncio.sleep(0.05)  # so that it does wait; it must come back in any case
            await broker.publish([message(channel, 1)])

            assert numbers_of(await asyncio.wait_for(waiting, 10)) == [1]

    @awaited
    async def test_a_partition_has_the_messages_of_its_keys_and_no_others(self, connect: Connect, channel: str) -> None:
        sent = [message(channel, number, key=f"k-{number}") for number in range(30)]
        async with using(connect, "partitions=3") as broker:
            assert await introduce(broker, channel) == 3
            await broker.publish(sent)
            for partition in range(3):
                own = [number for number in range(30) if partition_of(f"k-{number}", 3) == partition]
                reader = await broker.subscribe(channel, partition, "readers", None)
                assert own
                assert sorted(numbers_of(await read(reader, len(own)))) == own
                assert await reader.receive(10, 0.05) == []

    @awaited
    async def test_readers_of_several_partitions_share_a_connection(self, connect: Connect, channel: str) -> None:
        async with using(connect, "partitions=3") as broker:
            await introduce(broker, channel)
            readers = [await broker.subscribe(channel, each, "readers", None) for each in range(3)]
            waiting = [asyncio.create_task(read(each, 1)) for each in readers]
            keys = {partition_of(f"k-{number}", 3): f"k-{number}" for number in range(30)}

            await broker.publish([message(channel, partition, keys[partition]) for partition in range(3)])

            assert [numbers_of(await each) for each in waiting] == [[0], [1], [2]]

    @awaited
    async def test_what_a_connection_has_begun_another_can_go_on_with(self, connect: Connect, channel: str) -> None:
        async with using(connect) as one, using(connect) as two:
            await introduce(one, channel)
            await one.publish([message(channel, 1, "a")])
            await two.publish([message(channel, 2, "a")])

            assert numbers_of(await read_all(two, channel, 2)) == [1, 2]
