"""The log's database, as other rooms use it: whole transactions, in turn, with errors of the one tree."""

from collections.abc import Iterator

import pytest

from eventstore import EventStore, StoreError, open_store
from eventstore.sql_database import SqlDatabase


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def store(request: pytest.FixtureRequest) -> Iterator[EventStore]:
    with open_store(request.getfixturevalue(request.param), migrate=True) as store:
        yield store


@pytest.fixture
def database(store: EventStore) -> SqlDatabase:
    assert store.backend.sql is not None
    with store.backend.sql.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (n integer)")
    return store.backend.sql


def count(database: SqlDatabase) -> int:
    with database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM notes").scalar_one())


def test_a_transaction_that_ends_well_is_kept(database: SqlDatabase) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES (1)")

    assert count(database) == 1


def test_a_transaction_that_fails_is_undone_whole(database: SqlDatabase) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012 - the block is what fails
        connection.exec_driver_sql("INSERT INTO notes VALUES (1)")
        _ = 1 / 0

    assert count(database) == 0


def test_the_drivers_errors_are_of_the_one_tree(database: SqlDatabase) -> None:
    with pytest.raises(StoreError, match="nothing_of_that_name"), database.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM nothing_of_that_name")
