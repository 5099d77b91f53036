"""The contract, kept by an index in Elasticsearch: beside a log in SQLite, and beside one in memory."""

from collections.abc import Iterator

import pytest

from eventfold.projection_tables import migrate_projections
from eventstore import EventStore, open_store
from projections import ElasticsearchIndex
from projections.testing import TargetContract
from projections.testing.contract.vocabulary import EVENTS


class TestElasticsearchIndex(TargetContract):
    @pytest.fixture
    def store(self, sqlite_url: str) -> Iterator[EventStore]:
        with open_store(sqlite_url, events=EVENTS) as store:
            migrate_projections(store, migrate=True)
            yield store

    @pytest.fixture
    def target(self, elasticsearch_index: ElasticsearchIndex) -> ElasticsearchIndex:
        return elasticsearch_index


class TestElasticsearchIndexBesideMemory(TargetContract):
    shares_rows = False

    @pytest.fixture
    def target(self, elasticsearch_index: ElasticsearchIndex) -> ElasticsearchIndex:
        return elasticsearch_index
