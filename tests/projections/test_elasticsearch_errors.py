"""What is said where Elasticsearch cannot be used: by the error, and by the status."""

import re
from collections.abc import Iterator

import pytest

from eventfold import DefinitionError, EventStore, TargetUnavailable
from eventfold.migrations import migrate
from eventstore import open_store
from projections import ElasticsearchIndex, Engine, status_of
from projections.targets import elasticsearch_server
from projections.testing.contract.vocabulary import EVENTS, Added, things
from tests.projections.faults import Proxy
from tests.services.elasticsearch import Elasticsearch
from tests.services.private import free_port


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url, events=EVENTS) as store:
        migrate(store)
        store.append("thing-a", [Added(1)])
        yield store


def test_a_server_that_is_not_there_is_named_with_its_address(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch_server, "PATIENCE_SECONDS", 0.0)
    port = free_port()
    engine = Engine(store, [things.into(ElasticsearchIndex("things", url=f"http://127.0.0.1:{port}"))])

    with pytest.raises(
        TargetUnavailable, match=rf"Elasticsearch at 127\.0\.0\.1:{port} does not answer: ConnectionError"
    ):
        engine.catch_up()

    assert status_of(store, engine.tracks[0]).state == "failed"


def test_a_server_of_an_earlier_major_version_says_which_client_to_install(
    store: EventStore, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    with Proxy(elasticsearch_server.url) as proxy:
        proxy.rewrite = lambda piece: re.sub(rb"compatible-with=\d", b"compatible-with=1", piece)
        engine = Engine(store, [things.into(ElasticsearchIndex(elasticsearch_name, url=proxy.url))])

        with pytest.raises(
            TargetUnavailable, match=r'does not understand the client.*pip install "elasticsearch==\d\.\*"'
        ):
            engine.catch_up()

        assert "does not understand the client" in str(status_of(store, engine.tracks[0]).error)


def test_a_template_that_makes_the_index_impossible_is_pointed_at(
    store: EventStore, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    template = {"settings": {"index.sort.field": "nothing"}}
    body = {"index_patterns": [f"{elasticsearch_name}*"], "priority": 900, "template": template}
    elasticsearch_server.ask(f"/_index_template/{elasticsearch_name}", "PUT", body)
    try:
        engine = Engine(store, [things.into(ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url))])

        with pytest.raises(DefinitionError, match=r"refuses to make the index .*nothing.*index templates"):
            engine.catch_up()

        assert "index templates" in str(status_of(store, engine.tracks[0]).error)
    finally:
        elasticsearch_server.ask(f"/_index_template/{elasticsearch_name}", "DELETE")
    engine.catch_up()
    assert engine.tracks[0].position == store.head()
