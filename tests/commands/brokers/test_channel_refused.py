"""A channel that a broker refuses holds up no message of another one."""

import asyncio
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from commands import BrokerError, BrokerUnavailable, MessageRefused
from commands.brokers.opening import open_broker
from commands.testing.brokers.base import message
from tests.commands.brokers.kinds import kinds
from tests.services.server import Server


async def taken_at_nats(url: str, channel: str) -> None:
    import nats

    client = await nats.connect(url)
    await client.jetstream().add_stream(name=f"not-{channel}".replace(".", "-"), subjects=[f"{channel}.>"])
    await client.close()


async def taken_at_redis(url: str, channel: str) -> None:
    from redis.asyncio import from_url

    async with from_url(url) as client:
        await client.set(f"{channel}:partitions", "a few")


async def taken_at_kafka(url: str, channel: str) -> None:
    """Kafka takes no two topics that differ in a dot and an underscore alone."""
    broker = open_broker(url)
    assert await broker.publish([message(channel.replace(".", "_"), 1)]) == [None]
    await broker.close()


async def taken_at_rabbitmq(url: str, channel: str) -> None:
    import aiormq

    connection = await aiormq.connect(url)
    await (await connection.channel()).exchange_declare(channel, exchange_type="fanout", durable=True)
    await connection.close()


TAKEN: dict[str, Any] = {
    "nats": taken_at_nats,
    "redis": taken_at_redis,
    "kafka": taken_at_kafka,
    "rabbitmq": taken_at_rabbitmq,
}


@pytest.fixture(params=kinds(*TAKEN))
def kind_and_server(request: pytest.FixtureRequest) -> tuple[str, Server]:
    return request.param, request.getfixturevalue(f"{request.param}_server")


def test_its_messages_fail_as_those_of_a_broker_that_is_there_and_those_of_other_channels_arrive(
    kind_and_server: tuple[str, Server],
) -> None:
    kind, server = kind_and_server
    refused, other = (f"{name}.{uuid.uuid4().hex[:12]}" for name in ("refused", "other"))

    async def story() -> list[Exception | None]:
        await TAKEN[kind](server.url, refused)
        broker = open_broker(server.url)
        try:
            if kind == "rabbitmq":  # which keeps nothing for nobody
                await (await broker.subscribe(other, 0, "readers", None)).close()
            events = [message(other, 1), message(refused, 2), message(other, 3), message(refused, 4)]
            return list(await broker.publish(events))
        finally:
            await broker.close()

    outcomes = asyncio.run(story())

    assert (outcomes[0], outcomes[2]) == (None, None)
    for outcome in (outcomes[1], outcomes[3]):
        assert isinstance(outcome, BrokerError)
        assert not isinstance(outcome, BrokerUnavailable | MessageRefused), (
            "it is tried again, and no other channel waits"
        )
        assert f"channel {refused}" in str(outcome)
        assert urlsplit(server.url).hostname in str(outcome)
