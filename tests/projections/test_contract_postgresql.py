"""The contract, kept by a table in PostgreSQL."""

from collections.abc import Iterator
from itertools import count

import pytest

from eventfold.projection_tables import migrate_projections
from eventstore import EventStore, open_store
from projections import SqlTable
from projections.testing import TargetContract
from projections.testing.contract.vocabulary import EVENTS
from tests.services.postgresql import Postgres

numbers = count(1)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """One database for all cases, with a schema of its own for each: making a database takes longer than most cases."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


class TestSqlTableOnPostgresql(TargetContract):
    @pytest.fixture
    def store(self, database: str) -> Iterator[EventStore]:
        with open_store(database, events=EVENTS, migrate=True, schema=f"case{next(numbers)}") as store:
            migrate_projections(store, migrate=True)
            yield store

    @pytest.fixture
    def target(self) -> SqlTable:
        return SqlTable("things")
