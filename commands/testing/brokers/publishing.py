"""What is published is kept, as it is and in its order."""

import asyncio
from collections import defaultdict

import pytest
from msgspec.structs import replace

from commands.errors import BrokerError, MessageRefused
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

MEGABYTE = 1_000_000


class Publishing(BrokerCases):
    """Cases about handing over."""

    @awaited
    async def test_what_is_confirmed_is_there_for_who_comes_later(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)

            assert await broker.publish([message(channel, number) for number in range(5)]) == [None] * 5

        async with using(connect) as other:
            assert numbers_of(await read(await subscribed(other, channel), 5)) == [0, 1, 2, 3, 4]

    @awaited
    async def test_nothing_published_is_nothing_to_wait_for(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            assert await broker.publish([]) == []

    @pytest.mark.parametrize("mode", ["binary", "structured"])
    @awaited
    async def test_a_message_arrives_as_it_was_sent(self, connect: Connect, channel: str, mode: str) -> None:
        whole = replace(
            message(channel, 1, key='Zürich 100% "東京" 🚲'),
            data='{"text":"Grüße, 東京 🚲"}'.encode(),
            subject="ein Fahrrad 🚲",
            schema="Thing/2",
            headers={
                "correlationid": "c-1",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "note": "größer als 100%",
                "x-Tenant": "größer",
            },
        )
        bare = message(channel, 2, key=whole.key)

        async with using(connect, f"partitions=2&mode={mode}") as broker:
            await introduce(broker, channel)
            assert await broker.publish([whole, bare]) == [None, None]

        async with using(connect) as other:
            found = await read(await subscribed(other, channel, whole.key), 2)
        assert [each.event for each in found] == [whole, bare]
        assert [each.error for each in found] == ["", ""]

    @awaited
    async def test_it_does_not_matter_when_something_has_happened(self, connect: Connect, channel: str) -> None:
        instants = [-2_000_000_000_000_000, 0, 32_000_000_000_000_000]  # in 1906, 1970 and 2984
        sent = [replace(message(channel, number), time_us=time_us) for number, time_us in enumerate(instants)]
        async with using(connect, "partitions=1") as broker:
            await introduce(broker, channel)

            assert await broker.publish(sent) == [None] * 3

            found = await read(await subscribed(broker, channel), 3)
        assert [each.event and each.event.time_us for each in found] == instants

    @awaited
    async def test_messages_of_one_key_keep_their_order_in_any_number_of_partitions(
        self, connect: Connect, channel: str
    ) -> None:
        sent = [message(channel, number, key=f"k-{number % 7}") for number in range(210)]
        async with using(connect, "partitions=4") as broker:
            assert await introduce(broker, channel) == 4
            for begin in range(0, 210, 70):
                assert await broker.publish(sent[begin : begin + 70]) == [None] * 70
            found = await read_all(broker, channel, 210)

        by_key: defaultdict[str, list[int]] = defaultdict(list)
        for each, number in zip(found, numbers_of(found), strict=True):
            assert each.event is not None
            by_key[each.event.key].append(number)
        assert by_key == {f"k-{number}": list(range(number, 210, 7)) for number in range(7)}

    @awaited
    async def test_several_may_publish_over_one_connection_at_once(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            batches = [[message(channel, 10 * key + n, f"k-{key}") for n in range(10)] for key in range(5)]

            outcomes = await asyncio.gather(*(broker.publish(each) for each in batches))

            assert outcomes == [[None] * 10] * 5
            assert sorted(numbers_of(await read_all(broker, channel, 50))) == list(range(50))

    @awaited
    async def test_a_megabyte_arrives(self, connect: Connect, channel: str) -> None:
        data = b'"' + b"x" * (MEGABYTE - 2) + b'"'
        async with using(connect) as broker:
            await introduce(broker, channel)

            assert await broker.publish([message(channel, 1, data=data), message(channel, 2)]) == [None, None]

            found = await read(await subscribed(broker, channel), 2)
        assert numbers_of(found) == [1, 2]
        assert found[0].event is not None
        assert found[0].event.data == data

    @awaited
    async def test_a_header_with_the_name_of_an_attribute_is_refused_and_holds_back_its_key(
        self, connect: Connect, channel: str
    ) -> None:
        wrong = replace(message(channel, 1, "a"), headers={"source": "/elsewhere"})
        async with using(connect) as broker:
            await introduce(broker, channel)

            refused, behind, other = await broker.publish([wrong, message(channel, 2, "a"), message(channel, 3, "b")])

            assert isinstance(refused, MessageRefused)
            assert "source" in str(refused)
            assert isinstance(behind, BrokerError)
            assert other is None
            assert numbers_of(await read_all(broker, channel, 1)) == [3]

    @pytest.mark.parametrize("name", ["a.b_c-D", "x" * 120])
    @awaited
    async def test_a_channel_may_have_any_name_that_a_message_class_may_give_it(
        self, connect: Connect, channel: str, name: str
    ) -> None:
        named = f"{channel}.{name}"[-120:]
        async with using(connect) as broker:
            await introduce(broker, named)

            assert await broker.publish([message(named, 1)]) == [None]

            found = await read(await subscribed(broker, named), 1)
        assert [each.event for each in found] == [message(named, 1)]
