"""A reader whose position the broker does not keep any more is told so, and goes on with what there is."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from commands.brokers import kafka_subscription
from commands.brokers.broker import Broker
from commands.brokers.opening import open_broker
from commands.testing.brokers.base import message, numbers_of, read
from tests.commands.brokers.kinds import kinds
from tests.services.server import Server


def run(url: str, case: Callable[[Broker, str], Awaitable[None]]) -> None:
    async def main() -> None:
        broker = open_broker(f"{url}?partitions=1")
        try:
            await case(broker, f"things-{uuid.uuid4().hex[:12]}")
        finally:
            await broker.close()

    asyncio.run(main())


async def positions(broker: Broker, channel: str, count: int) -> list[str]:
    """Publishes so many messages, and reads them."""
    assert await broker.publish([message(channel, number) for number in range(count)]) == [None] * count
    reader = await broker.subscribe(channel, 0, "readers", None)
    found = [each.position for each in await read(reader, count)]
    await reader.close()
    return found


async def trim_nats(url: str, channel: str) -> None:
    import nats

    client = await nats.connect(url)
    await client.jetstream().purge_stream(channel, seq=4)
    await client.close()


async def forget_nats(url: str, channel: str) -> None:
    import nats

    client = await nats.connect(url)
    await client.jetstream().delete_stream(channel)
    await client.close()


async def trim_redis(url: str, channel: str) -> None:
    from redis.asyncio import from_url

    async with from_url(url) as client:
        await client.xtrim(f"{channel}:0", maxlen=2, approximate=False)


async def forget_redis(url: str, channel: str) -> None:
    from redis.asyncio import from_url

    async with from_url(url) as client:
        await client.delete(f"{channel}:0")


async def trim_kafka(url: str, channel: str) -> None:
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    admin = AIOKafkaAdminClient(bootstrap_servers=url.removeprefix("kafka://"))
    await admin.start()
    await admin.delete_records({TopicPartition(channel, 0): RecordsToDelete(3)})
    await admin.close()


async def forget_kafka(url: str, channel: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=url.removeprefix("kafka://"))
    await admin.start()
    await admin.delete_topics([channel])
    await admin.close()


TRIM: dict[str, Any] = {"nats": trim_nats, "redis": trim_redis, "kafka": trim_kafka}
FORGET: dict[str, Any] = {"nats": forget_nats, "redis": forget_redis, "kafka": forget_kafka}


@pytest.fixture(params=kinds("nats", "redis", "kafka"))
def trimmed(request: pytest.FixtureRequest) -> tuple[str, Server]:
    return request.param, request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(params=kinds("nats", "redis", "kafka"))
def forgotten(request: pytest.FixtureRequest) -> tuple[str, Server]:
    return request.param, request.getfixturevalue(f"{request.param}_server")


def test_what_was_trimmed_before_it_was_handled_is_warned_of(
    trimmed: tuple[str, Server], caplog: pytest.LogCaptureFixture
) -> None:
    kind, server = trimmed

    async def case(broker: Broker, channel: str) -> None:
        known = await positions(broker, channel, 5)
        await TRIM[kind](server.url, channel)

        reader = await broker.subscribe(channel, 0, "readers", known[0])

        assert numbers_of(await read(reader, 2)) == [3, 4]

    with caplog.at_level(logging.WARNING, "eventfold.brokers"):
        run(server.url, case)
    assert "is kept from" in caplog.text


def test_a_channel_that_was_made_anew_is_read_from_its_beginning_with_a_warning(
    forgotten: tuple[str, Server], caplog: pytest.LogCaptureFixture
) -> None:
    kind, server = forgotten

    async def case(broker: Broker, channel: str) -> None:
        known = await positions(broker, channel, 5)
        await FORGET[kind](server.url, channel)
        other = open_broker(f"{server.url}?partitions=1")
        reader = await other.subscribe(channel, 0, "readers", known[-1])
        assert await other.publish([message(channel, 7)]) == [None]

        found = numbers_of(await read(reader, 1))
        await other.close()

        assert found == [7]

    with caplog.at_level(logging.WARNING, "eventfold.brokers"):
        run(server.url, case)
    assert "was made anew" in caplog.text


def test_a_channel_that_was_made_anew_and_has_grown_past_the_position_is_read_from_its_beginning(
    forgotten: tuple[str, Server], caplog: pytest.LogCaptureFixture
) -> None:
    kind, server = forgotten

    async def case(broker: Broker, channel: str) -> None:
        known = await positions(broker, channel, 3)
        await FORGET[kind](server.url, channel)
        other = open_broker(f"{server.url}?partitions=1")
        assert await other.publish([message(channel, 10 + each) for each in range(6)]) == [None] * 6
        reader = await other.subscribe(channel, 0, "readers", known[-1])

        found = numbers_of(await read(reader, 6))
        await other.close()

        assert found == [10, 11, 12, 13, 14, 15]

    with caplog.at_level(logging.WARNING, "eventfold.brokers"):
        run(server.url, case)
    assert "was made anew" in caplog.text or "is kept from" in caplog.text


def test_a_channel_that_is_made_anew_and_grows_past_a_reader_that_stays_is_read_from_its_beginning(
    forgotten: tuple[str, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, server = forgotten
    monkeypatch.setattr(kafka_subscription, "LOOK_SECONDS", 0.0)

    async def case(broker: Broker, channel: str) -> None:
        await positions(broker, channel, 3)
        reader = await broker.subscribe(channel, 0, "readers", None)
        known = [each.position for each in await read(reader, 3)]
        await FORGET[kind](server.url, channel)
        other = open_broker(f"{server.url}?partitions=1")
        assert await other.publish([message(channel, 10 + each) for each in range(6)]) == [None] * 6

        found = await read(reader, 6)
        await other.close()

        assert numbers_of(found) == [10, 11, 12, 13, 14, 15]
        assert not {each.position for each in found} & set(known)

    run(server.url, case)


def test_what_was_handled_to_the_end_is_read_on_without_a_warning(
    trimmed: tuple[str, Server], caplog: pytest.LogCaptureFixture
) -> None:
    _, server = trimmed

    async def case(broker: Broker, channel: str) -> None:
        known = await positions(broker, channel, 2)
        reader = await broker.subscribe(channel, 0, "readers", known[-1])
        await broker.publish([message(channel, 2)])

        assert numbers_of(await read(reader, 1)) == [2]

    with caplog.at_level(logging.WARNING, "eventfold.brokers"):
        run(server.url, case)
    assert caplog.records == [] or all(each.name != "eventfold.brokers" for each in caplog.records)


@pytest.mark.parametrize("kind", kinds("nats", "redis", "kafka", "rabbitmq"))
def test_how_many_partitions_a_channel_has_is_the_brokers_to_say(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(f"{kind}_server")

    async def case(broker: Broker, channel: str) -> None:
        assert await broker.partitions(channel) == 1

        other = open_broker(f"{server.url}?partitions=6")
        try:
            assert await other.partitions(channel) == 1
            assert await other.partitions(f"{channel}.more") == 6
        finally:
            await other.close()

    run(server.url, case)


def test_what_nobody_has_subscribed_to_rabbitmq_refuses(rabbitmq_server: Server) -> None:
    async def case(broker: Broker, channel: str) -> None:
        (refused,) = await broker.publish([message(channel, 1)])
        assert "nobody has subscribed to channel" in str(refused)

        reader = await broker.subscribe(channel, 0, "readers", None)
        assert await broker.publish([message(channel, 1)]) == [None]
        assert numbers_of(await read(reader, 1)) == [1]

    run(rabbitmq_server.url, case)


def test_whatever_a_group_is_called_it_has_queues_of_its_own(rabbitmq_server: Server) -> None:
    async def case(broker: Broker, channel: str) -> None:
        channels, groups = [channel, f"{channel}.eu"], ["eu.größer 100%", "größer 100%"]
        readers = [await broker.subscribe(*each) for each in zip(channels, [0, 0], groups, [None, None], strict=True)]
        assert await broker.publish([message(each, number) for number, each in enumerate(channels)]) == [None] * 2

        assert [numbers_of(await read(each, 1)) for each in readers] == [[0], [1]]

    run(rabbitmq_server.url, case)


def test_a_reader_whose_queue_was_deleted_goes_on_with_a_new_one(rabbitmq_server: Server) -> None:
    import aiormq

    async def case(broker: Broker, channel: str) -> None:
        reader = await broker.subscribe(channel, 0, "readers", None)
        assert await broker.publish([message(channel, 1)]) == [None]
        assert numbers_of(await read(reader, 1)) == [1]
        connection = await aiormq.connect(rabbitmq_server.url)
        await (await connection.channel()).queue_delete(f"{channel}.readers.0")
        await connection.close()

        assert await reader.receive(1, 0.1) == []
        assert await reader.receive(1, 0.1) == []

        assert await broker.publish([message(channel, 2)]) == [None]
        assert numbers_of(await read(reader, 1)) == [2]

    run(rabbitmq_server.url, case)


def test_redis_keeps_as_many_as_it_is_told(redis_server: Server) -> None:
    async def main() -> None:
        broker = open_broker(f"{redis_server.url}?partitions=1&keep=100")
        channel = f"things-{uuid.uuid4().hex[:12]}"
        for begin in range(0, 1000, 250):
            assert set(await broker.publish([message(channel, begin + each) for each in range(250)])) == {None}
        reader = await broker.subscribe(channel, 0, "readers", None)
        (first, *_) = await read(reader, 1)
        await broker.close()

        assert 0 < numbers_of([first])[0] <= 900

    asyncio.run(main())
