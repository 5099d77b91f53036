"""Databases with the tables of an inbox, and those of a shipping department."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eventstore.backend import Backend
from eventstore.opening import open_backend
from eventstore.sql_database import SqlDatabase
from tests.commands.inbox.orders import Faults, make_shipments

DATABASES = ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgresql)]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@contextmanager
def opened(url: str) -> Iterator[Backend]:
    backend = open_backend(url)
    assert backend.sql is not None
    backend.sql.migrator("commands", "commands.migrations").migrate()
    make_shipments(backend.sql)
    yield backend
    backend.close()


@pytest.fixture
def backend(url: str) -> Iterator[Backend]:
    with opened(url) as backend:
        yield backend


@pytest.fixture
def database(backend: Backend) -> SqlDatabase:
    assert backend.sql is not None
    return backend.sql


@pytest.fixture
def faults() -> Faults:
    return Faults()
