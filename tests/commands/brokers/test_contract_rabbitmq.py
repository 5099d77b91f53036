"""RabbitMQ keeps the contract."""

import pytest

from commands.brokers.opening import open_broker
from commands.testing.brokers import BrokerContract, Outage
from commands.testing.brokers.base import Connect
from commands.testing.brokers.outages import Outages
from commands.testing.brokers.strangers import Put
from tests.services.rabbitmq import LARGEST, RabbitmqServer
from tests.services.server import Server


class TestRabbitmq(BrokerContract):
    too_large = LARGEST + 1
    knows_ids = False
    can_fail = False  # below, with a server of its own where the others have been given one

    @pytest.fixture
    def connect(self, rabbitmq_server: Server) -> Connect:
        return lambda options="": open_broker(f"{rabbitmq_server.url}?{options}")

    @pytest.fixture
    def put(self, rabbitmq_server: Server) -> Put:
        async def put(channel: str, partition: int, body: bytes) -> None:
            import aiormq

            connection = await aiormq.connect(rabbitmq_server.url)
            publishing = await connection.channel()
            await publishing.basic_publish(body, exchange=channel, routing_key=str(partition))
            await connection.close()

        return put


class TestRabbitmqFails(Outages):
    @pytest.fixture
    def connect(self, private_rabbitmq: RabbitmqServer) -> Connect:
        return lambda options="": open_broker(f"{private_rabbitmq.url}?{options}")

    @pytest.fixture
    def outage(self, private_rabbitmq: RabbitmqServer) -> Outage:
        return private_rabbitmq
