"""The contract, kept by the log in a SQLite file."""

import pytest

from eventstore import open_store
from eventstore.testing import EventStoreContract
from eventstore.testing.contract.base import StoreFactory


class TestSqlite(EventStoreContract):
    @pytest.fixture
    def store_factory(self, sqlite_url: str) -> StoreFactory:
        return lambda **options: open_store(sqlite_url, **options)
