"""The contract, kept by an index in Elasticsearch: beside a log in SQLite, and, as far as the log matters, beside one in memory."""

import uuid
from collections.abc import Iterator

import pytest

from eventfold.migrations import migrate
from eventstore import EventStore, open_store
from projections import ElasticsearchIndex
from projections.model import model_of
from projections.target import BoundTarget, Reader
from projections.testing import TargetContract
from projections.testing.contract.applying import Applying
from projections.testing.contract.base import FINGERPRINT, reading, write
from projections.testing.contract.following import Following
from projections.testing.contract.generations import Generations
from projections.testing.contract.leasing import Leasing
from projections.testing.contract.parking import Parking
from projections.testing.contract.partitions import Partitions
from projections.testing.contract.selecting import ROWS
from projections.testing.contract.vocabulary import EVENTS, Thing
from tests.services.elasticsearch import Elasticsearch


@pytest.fixture(scope="module")
def filled(elasticsearch_server: Elasticsearch) -> Iterator[BoundTarget]:
    """One index for all the questions: making one takes longer than asking."""
    target = ElasticsearchIndex(f"asked-{uuid.uuid4().hex[:12]}", url=elasticsearch_server.url)
    with open_store("memory://", events=EVENTS) as store:
        bound = target.bind(store.backend, "things", model_of(Thing))
        write(bound.create(FINGERPRINT, live=True), *ROWS)
        yield bound
    for index in elasticsearch_server.indices(f"{target.name}*"):
        elasticsearch_server.ask(f"/{index}", "DELETE")


class TestElasticsearchIndex(TargetContract):
    @pytest.fixture
    def store(self, sqlite_url: str) -> Iterator[EventStore]:
        with open_store(sqlite_url, events=EVENTS) as store:
            migrate(store)
            yield store

    @pytest.fixture
    def target(self, elasticsearch_index: ElasticsearchIndex) -> ElasticsearchIndex:
        return elasticsearch_index

    @pytest.fixture
    def reader(self, filled: BoundTarget) -> Iterator[Reader]:
        with reading(filled) as reader:
            yield reader


class TestElasticsearchIndexBesideMemory(Generations, Applying, Partitions, Leasing, Parking, Following):
    """What the place of the checkpoints plays no part in is not asked twice."""

    shares_rows = False

    @pytest.fixture
    def target(self, elasticsearch_index: ElasticsearchIndex) -> ElasticsearchIndex:
        return elasticsearch_index
