"""The contract, kept by the log in PostgreSQL."""

from collections.abc import Iterator
from itertools import count

import pytest

from eventstore import open_store
from eventstore.testing import EventStoreContract
from eventstore.testing.contract.base import StoreFactory
from tests.services.postgresql import Postgres

numbers = count(1)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """One database for all cases, with tables of its own for each: making a database takes longer than most cases."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


class TestPostgresql(EventStoreContract):
    @pytest.fixture
    def store_factory(self, database: str) -> StoreFactory:
        prefix = f"case{next(numbers)}_"
        return lambda **options: open_store(database, migrate=True, prefix=prefix, **options)
