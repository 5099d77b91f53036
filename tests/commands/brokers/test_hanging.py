"""A broker that hangs, and neither answers nor ends the connection, is waited for no longer than its URL says."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from commands.brokers.opening import open_broker
from commands.errors import BrokerUnavailable
from commands.testing.brokers.base import introduce, message, using
from tests.services.server import PrivateServer

PATIENCE_SECONDS = 30.0
LARGE = b'"' + b"x" * 900_000 + b'"'


@pytest.fixture(
    params=["nats", "redis", *[pytest.param(each, marks=pytest.mark.slow) for each in ("kafka", "rabbitmq")]]
)
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    found: PrivateServer = request.getfixturevalue(f"private_{request.param}")
    yield found
    found.resume()


def test_a_broker_that_hangs_is_given_up_and_closed_in_time_and_used_again_once_it_goes_on(
    server: PrivateServer,
) -> None:
    channel = f"hanging-{time.time_ns()}"
    large = [
        message(channel, number, key=f"k-{number}", data=LARGE) for number in range(24)
    ]  # more than a socket holds

    async def main() -> None:
        broker, other = open_broker(f"{server.url}?timeout=2"), open_broker(f"{server.url}?timeout=2")
        async with using(lambda _: open_broker(server.url)) as patient:
            await introduce(patient, channel)
        assert await broker.publish([message(channel, 100)]) == [None]
        server.pause()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert {type(each) for each in await broker.publish(large)} == {BrokerUnavailable}
            assert {type(each) for each in await other.publish(large[:1])} == {BrokerUnavailable}
            await other.close()
        server.resume()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await broker.publish([message(channel, 101)]) != [None]:  # noqa: ASYNC110 - it waits by itself
                await asyncio.sleep(0)
            server.pause()
            await broker.close()

    asyncio.run(main())
