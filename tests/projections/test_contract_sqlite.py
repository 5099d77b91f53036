"""The contract, kept by a table in a SQLite file."""

from collections.abc import Iterator

import pytest

from eventfold.migrations import migrate
from eventstore import EventStore, open_store
from projections import SqlTable
from projections.testing import TargetContract
from projections.testing.contract.vocabulary import EVENTS


class TestSqlTableOnSqlite(TargetContract):
    @pytest.fixture
    def store(self, sqlite_url: str) -> Iterator[EventStore]:
        with open_store(sqlite_url, events=EVENTS) as store:
            migrate(store)
            yield store

    @pytest.fixture
    def target(self) -> SqlTable:
        return SqlTable("things")
