"""Redis keeps the contract."""

import pytest

from commands.brokers.opening import open_broker
from commands.testing.brokers import BrokerContract, Outage
from commands.testing.brokers.base import Connect
from commands.testing.brokers.outages import Outages
from commands.testing.brokers.strangers import Put
from tests.services.redis import RedisServer
from tests.services.server import Server


class TestRedis(BrokerContract):
    too_large = (2 << 20) + 1
    knows_ids = False
    can_fail = False  # below, with a server of its own where the others have been given one

    @pytest.fixture
    def connect(self, redis_server: Server) -> Connect:
        return lambda options="": open_broker(f"{redis_server.url}?{options}")

    @pytest.fixture
    def put(self, redis_server: Server) -> Put:
        async def put(channel: str, partition: int, body: bytes) -> None:
            from redis.asyncio import from_url

            async with from_url(redis_server.url) as client:
                await client.xadd(f"{channel}:{partition}", {"data": body})

        return put


class TestRedisFails(Outages):
    @pytest.fixture
    def connect(self, private_redis: RedisServer) -> Connect:
        return lambda options="": open_broker(f"{private_redis.url}?{options}")

    @pytest.fixture
    def outage(self, private_redis: RedisServer) -> Outage:
        return private_redis
