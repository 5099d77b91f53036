"""Databases for the tests of the read side."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from eventfold import EventStore
from projections import ElasticsearchIndex
from tests.projections.shop import open_shop
from tests.services.elasticsearch import Elasticsearch

OpenShop: TypeAlias = Callable[[], EventStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A database file, or a new database on the server."""
    if request.param == "sqlite":
        chosen: str = request.getfixturevalue("sqlite_url")
    else:
        chosen = request.getfixturevalue("postgres_url")
    return chosen


@pytest.fixture
def open_store(url: str) -> Iterator[OpenShop]:
    """Opens stores over one database that are closed after the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(open_shop(url))


@pytest.fixture
def store(open_store: OpenShop) -> EventStore:
    return open_store()


@pytest.fixture
def elasticsearch_index(elasticsearch_server: Elasticsearch, elasticsearch_name: str) -> ElasticsearchIndex:
    """A target of the test's own."""
    return ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url)
