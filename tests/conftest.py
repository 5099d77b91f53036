"""What every test may ask for, and the table of real parts at the end of a run."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.services import parts
from tests.services.elasticsearch import (
    Elasticsearch,
    ElasticsearchServer,
    ElasticsearchUnavailableError,
    open_elasticsearch,
)
from tests.services.kafka import KafkaServer
from tests.services.nats import NatsServer
from tests.services.postgresql import Postgres, PostgresServer, PostgresUnavailableError, open_postgres
from tests.services.rabbitmq import RabbitmqServer
from tests.services.redis import RedisServer
from tests.services.server import PrivateServer, Server, ServerUnavailableError, open_server

BROKERS = ("nats", "kafka", "rabbitmq", "redis")
SLOW_STARTERS = ("elasticsearch", "rabbitmq", "kafka")
"""Servers that take so much to start that one worker of a parallel run has all of their tests, and no other starts one."""
WITHOUT_DISK = {"fsync": "off", "full_page_writes": "off"}
"""Of the PostgreSQL that nobody ever kills: a database is made and dropped for each test, which waits for the disk most of all.
Those that tests kill have none of it."""

CRAMPED = {
    "node.processors": 1,
    "thread_pool.write.queue_size": 1,
    "indexing_pressure.memory.limit": "32kb",
}


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'events.db'}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The run's PostgreSQL, shared: never stop it."""
    try:
        with open_postgres(WITHOUT_DISK) as server:
            parts.record("PostgreSQL", f"{server.version}, {server.origin}")
            yield server
    except PostgresUnavailableError as error:
        _missing("PostgreSQL", error)


@pytest.fixture(scope="session")
def spare_databases(postgres_server: Postgres) -> Iterator[list[str]]:
    """Empty ones, which tests have left behind."""
    urls: list[str] = []
    yield urls
    for url in urls:
        postgres_server.drop_database(url)


@pytest.fixture
def postgres_url(postgres_server: Postgres, spare_databases: list[str]) -> Iterator[str]:
    """An empty database under a new name: made, or emptied after an earlier test."""
    url = spare_databases.pop() if spare_databases else postgres_server.create_database()
    yield url
    spare_databases.append(postgres_server.renew_database(url))


@pytest.fixture
def private_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, to stop, kill and restart."""
    try:
        with PostgresServer() as server:
            parts.record("PostgreSQL", f"{server.version}, {server.origin}")
            yield server
    except PostgresUnavailableError as error:
        _missing("PostgreSQL", error)


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[Elasticsearch]:
    """The run's Elasticsearch, shared: never stop it."""
    try:
        with open_elasticsearch() as server:
            parts.record("Elasticsearch", f"{server.version}, {server.origin}")
            yield server
    except ElasticsearchUnavailableError as error:
        _missing("Elasticsearch", error)


@pytest.fixture
def elasticsearch_name(elasticsearch_server: Elasticsearch) -> Iterator[str]:
    """The name of an index of the test's own; what was made under it is removed."""
    name = f"things-{uuid.uuid4().hex[:12]}"
    yield name
    for index in elasticsearch_server.indices(f"{name}*"):
        elasticsearch_server.ask(f"/{index}", "DELETE")


@pytest.fixture(scope="session")
def private_elasticsearch() -> Iterator[ElasticsearchServer]:
    """An Elasticsearch to stop, kill and restart; whoever does so starts it again. It soon has too much to do."""
    try:
        with ElasticsearchServer(CRAMPED) as server:
            parts.record("Elasticsearch", f"{server.version}, {server.origin}")
            yield server
    except ElasticsearchUnavailableError as error:
        _missing("Elasticsearch", error)


def _broker(kind: type[PrivateServer]) -> Iterator[Server]:
    try:
        with open_server(kind) as server:
            parts.record(kind.name, f"{kind.version(server.url)}, {server.origin}")
            yield server
    except ServerUnavailableError as error:
        _missing(kind.name, error)


def _private(kind: type[PrivateServer], shared: Server) -> Iterator[PrivateServer]:
    """The shared one where it is ours, since whoever kills it starts it again; else one more."""
    if isinstance(shared, PrivateServer):
        yield shared
    else:
        with kind() as server:
            yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Server]:
    """The run's NATS with JetStream."""
    yield from _broker(NatsServer)


@pytest.fixture
def private_nats(nats_server: Server) -> Iterator[PrivateServer]:
    """A NATS to stop, kill and restart; whoever does so starts it again."""
    yield from _private(NatsServer, nats_server)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Server]:
    """The run's Kafka."""
    yield from _broker(KafkaServer)


@pytest.fixture
def private_kafka(kafka_server: Server) -> Iterator[PrivateServer]:
    """A Kafka to stop, kill and restart; whoever does so starts it again."""
    yield from _private(KafkaServer, kafka_server)


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Server]:
    """The run's RabbitMQ."""
    yield from _broker(RabbitmqServer)


@pytest.fixture
def private_rabbitmq(rabbitmq_server: Server) -> Iterator[PrivateServer]:
    """A RabbitMQ to stop, kill and restart; whoever does so starts it again."""
    yield from _private(RabbitmqServer, rabbitmq_server)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """The run's Redis."""
    yield from _broker(RedisServer)


@pytest.fixture
def private_redis(redis_server: Server) -> Iterator[PrivateServer]:
    """A Redis to stop, kill and restart; whoever does so starts it again."""
    yield from _private(RedisServer, redis_server)


def _missing(part: str, reason: Exception) -> NoReturn:
    """Skip the test, or fail it in CI, where every part must be there."""
    parts.record(part, f"missing: {reason}")
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(f"{part} is missing, and CI is set: {reason}", pytrace=False)
    pytest.skip(f"{part} is missing: {reason}")


@pytest.hookimpl(tryfirst=True)  # before the names of groups are read, or each worker starts all servers for itself
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, so that `-m "not postgresql"` and the like leave them out, and keep them together."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if {"postgres_server", "private_postgres"} & asked:
            item.add_marker(pytest.mark.postgresql)
        if {"elasticsearch_server", "private_elasticsearch"} & asked:
            item.add_marker(pytest.mark.elasticsearch)
        for name in BROKERS:
            if f"{name}_server" in asked:
                item.add_marker(name)
        for name in SLOW_STARTERS:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.xdist_group(name))
                break


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker process of a parallel run: send what was real to the main process."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["real_parts"] = parts.recorded()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """In the main process of a parallel run: take it over. A worker that crashed has nothing to say."""
    parts.merge(getattr(node, "workeroutput", {}).get("real_parts", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    terminalreporter.section("real parts of this run")
    for line in parts.table():
        terminalreporter.write_line(line)
