"""Kafka keeps the contract."""

import asyncio

import pytest

from commands.brokers import kafka
from commands.brokers.opening import open_broker
from commands.clock import now_us
from commands.testing.brokers import BrokerContract, Outage
from commands.testing.brokers.base import Connect, message, numbers_of, read_all
from commands.testing.brokers.outages import Outages
from commands.testing.brokers.strangers import Put
from tests.services.kafka import KafkaServer
from tests.services.server import Server


class TestKafka(BrokerContract):
    knows_ids = False
    can_fail = False  # below, with a server of its own where the others have been given one

    @pytest.fixture
    def connect(self, kafka_server: Server) -> Connect:
        return lambda options="": open_broker(f"{kafka_server.url}?{options}")

    @pytest.fixture
    def put(self, kafka_server: Server) -> Put:
        async def put(channel: str, partition: int, body: bytes) -> None:
            from aiokafka import AIOKafkaProducer

            async with AIOKafkaProducer(bootstrap_servers=kafka_server.url.removeprefix("kafka://")) as producer:
                await producer.send_and_wait(channel, body, partition=partition)

        return put

    @pytest.mark.parametrize("hours", [2, -24 * 30])
    def test_a_clock_that_is_wrong_holds_up_nothing(
        self, connect: Connect, channel: str, monkeypatch: pytest.MonkeyPatch, hours: int
    ) -> None:
        monkeypatch.setattr(kafka, "now_us", lambda: now_us() + hours * 3_600_000_000)

        async def main() -> None:
            broker = connect("partitions=1")
            assert await broker.publish([message(channel, 1)]) == [None]
            (found,) = await read_all(broker, channel, 1)
            await broker.close()
            assert numbers_of([found]) == [1]

        asyncio.run(main())


class TestKafkaFails(Outages):
    @pytest.fixture
    def connect(self, private_kafka: KafkaServer) -> Connect:
        return lambda options="": open_broker(f"{private_kafka.url}?{options}")

    @pytest.fixture
    def outage(self, private_kafka: KafkaServer) -> Outage:
        return private_kafka
