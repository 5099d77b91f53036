"""The contract that every broker keeps, as tests to subclass.

    class TestMyBroker(BrokerContract):
        @pytest.fixture
        def connect(self):
            return lambda options="": open_broker(f"mine://localhost?{options}")

Only this package needs pytest.
"""

import pytest

for each in ("base", "publishing", "reading", "limits", "ids", "strangers", "outages"):
    pytest.register_assert_rewrite(f"commands.testing.brokers.{each}")  # so that a failure shows the values

from commands.testing.brokers.contract import BrokerContract  # noqa: E402 - after the above
from commands.testing.brokers.outages import Outage  # noqa: E402 - the same

__all__ = ["BrokerContract", "Outage"]
