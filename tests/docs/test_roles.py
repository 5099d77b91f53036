"""The roles that the page about PostgreSQL grants can do what it says, and no more."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from eventstore import EventStore, StoreError, open_store
from eventstore.testing.contract.vocabulary import EVENTS, Deposited
from tests.docs.pages import DOCS, blocks_of


@pytest.fixture
def store(postgres_url: str) -> Iterator[EventStore]:
    with open_store(postgres_url, events=EVENTS, migrate=True) as store:
        yield store


@pytest.fixture
def connection(store: EventStore) -> Iterator[Connection]:
    """A transaction in which the page's roles exist; they go away with it."""
    [roles, _] = [block.text for block in blocks_of(DOCS / "how-to/postgresql.md") if block.language == "sql"]
    assert store.backend.engine is not None
    with store.backend.engine.connect() as connection:
        transaction = connection.begin()
        for statement in roles.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        yield connection
        transaction.rollback()


def test_the_writer_can_append(store: EventStore, connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL ROLE writer")
    assert store.append("account-1", [Deposited(1)], connection=connection).versions == {"account-1": 1}


def test_the_reader_can_find_the_horizon_and_read(store: EventStore, connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL ROLE reader")
    assert connection.exec_driver_sql("SELECT eventfold_horizon()").scalar_one() == 0
    assert connection.exec_driver_sql("SELECT count(*) FROM eventfold_log").scalar_one() == 0


def test_the_reader_cannot_append(store: EventStore, connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL ROLE reader")
    with pytest.raises(StoreError, match="permission denied"):
        store.append("account-1", [Deposited(1)], connection=connection)


def test_the_query_over_the_log_shows_what_is_in_it(store: EventStore, connection: Connection) -> None:
    [_, query] = [block.text for block in blocks_of(DOCS / "how-to/postgresql.md") if block.language == "sql"]
    store.append("account-1", [Deposited(7)], connection=connection)
    [row] = connection.exec_driver_sql(query)
    assert row[1:4] == ("account-1", "Deposited", "7")
