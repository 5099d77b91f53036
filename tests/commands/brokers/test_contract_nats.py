"""NATS keeps the contract."""

import pytest

from commands.brokers.opening import open_broker
from commands.testing.brokers import BrokerContract, Outage
from commands.testing.brokers.base import Connect
from commands.testing.brokers.outages import Outages
from commands.testing.brokers.strangers import Put
from tests.services.nats import NatsServer
from tests.services.server import Server


class TestNats(BrokerContract):
    too_large = 1_048_577
    can_fail = False  # below, with a server of its own where the others have been given one

    @pytest.fixture
    def connect(self, nats_server: Server) -> Connect:
        return lambda options="": open_broker(f"{nats_server.url}?{options}")

    @pytest.fixture
    def put(self, nats_server: Server) -> Put:
        async def put(channel: str, partition: int, body: bytes) -> None:
            import nats

            client = await nats.connect(nats_server.url)
            await client.jetstream().publish(f"{channel}.{partition}", body)
            await client.close()

        return put


class TestNatsFails(Outages):
    @pytest.fixture
    def connect(self, private_nats: NatsServer) -> Connect:
        return lambda options="": open_broker(f"{private_nats.url}?{options}")

    @pytest.fixture
    def outage(self, private_nats: NatsServer) -> Outage:
        return private_nats
