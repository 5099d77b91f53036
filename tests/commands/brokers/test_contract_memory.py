"""The broker in memory keeps the contract."""

import uuid

import pytest

from commands.brokers.opening import open_broker
from commands.testing.brokers import BrokerContract
from commands.testing.brokers.base import Connect


class TestMemory(BrokerContract):
    too_large = 0
    knows_ids = takes_anything = can_fail = False

    @pytest.fixture
    def connect(self) -> Connect:
        name = uuid.uuid4().hex
        return lambda options="": open_broker(f"memory://{name}?{options}")
