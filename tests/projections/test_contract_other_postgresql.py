"""The contract, kept by a table in a PostgreSQL that is not the log's."""

from collections.abc import Iterator
from itertools import count

import pytest

from eventfold import Application, SqlTable
from eventstore import EventStore
from projections.testing import TargetContract
from projections.testing.contract.vocabulary import EVENTS
from tests.projections.shop import stock
from tests.services.postgresql import Postgres

pytestmark = (
    pytest.mark.slow
)  # what is under it is the same as for a log in PostgreSQL; a SQLite file shows the rest at every run
numbers = count(1)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    """One database for all cases, with a schema of its own for each."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


class TestSqlTableInAnotherPostgresql(TargetContract):
    @pytest.fixture
    def target(self, database: str) -> SqlTable:
        separator = "&" if "?" in database else "?"
        return SqlTable("things", url=f"{database}{separator}schema=other{next(numbers)}")

    @pytest.fixture
    def store(self, target: SqlTable) -> Iterator[EventStore]:
        with Application("memory://", projections=[stock.into(target)], events=EVENTS, migrate=True) as app:
            yield app.store
