"""The contract, kept by a table in PostgreSQL."""

from collections.abc import Iterator
from itertools import count
from math import inf

import pytest
from msgspec import Struct

from eventfold.migrations import migrate
from eventstore import EventStore, open_store
from projections import SqlTable
from projections.testing import TargetContract
from projections.testing.contract.base import FINGERPRINT, BindTarget, rows_of, write
from projections.testing.contract.vocabulary import EVENTS
from tests.services.postgresql import Postgres

numbers = count(1)


class Name(str):
    """A text of a class of the user's own."""

    __slots__ = ()


class Measured(Struct, frozen=True):
    key: str
    value: float | None
    note: str = ""
    raw: bytes | None = None


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
            migrate(store)
            yield store

    @pytest.fixture
    def target(self) -> SqlTable:
        return SqlTable("things")

    def test_what_json_lacks_or_escapes_comes_back(self, bind: BindTarget) -> None:
        bound = bind(Measured)
        live = bound.create(FINGERPRINT, live=True)
        rows = [
            Measured("a", inf, 'a tab\t, "quotes", a \\, \\u0000 and \x01\x1e\x1f', b""),
            Measured("b", -inf, Name("text"), b"\x00\xff"),
            Measured("c", 5e-324),
            Measured("d", 1),
            Measured("e", None),
        ]

        write(live, *rows)

        assert rows_of(bound, live) == rows
        assert live.fetch(["a", "b"]).rows == {"a": rows[0], "b": rows[1]}
