"""The contract, kept by the log in memory."""

import pytest

from eventstore import open_store
from eventstore.testing import EventStoreContract
from eventstore.testing.contract.base import StoreFactory


class TestMemory(EventStoreContract):
    shares_log = False
    joins_transactions = False

    @pytest.fixture
    def store_factory(self) -> StoreFactory:
        return lambda **options: open_store("memory://", **options)
