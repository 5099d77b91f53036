"""Debezium's outbox event router reads the table as it stands: real PostgreSQL, Kafka Connect and Kafka, configured as the page says."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from eventfold import Application, NewMessage
from tests.commands.outbox.shop import HANDLERS, PUBLISH, Numbered, Place
from tests.docs.pages import DOCS, blocks_of
from tests.services import parts
from tests.services.kafka_connect import KafkaConnectServer
from tests.services.postgresql import PostgresServer
from tests.services.server import Server

pytestmark = pytest.mark.debezium

TOPICS = ("orders", "letters", "numbers")
WAIT_SECONDS = 60.0


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database of a PostgreSQL that says what is committed."""
    with PostgresServer({"wal_level": "logical"}) as server:
        parts.record("PostgreSQL", f"{server.version}, {server.origin}")
        yield server.create_database()


@pytest.fixture
def app(database_url: str) -> Iterator[Application]:
    with Application(database_url, handlers=HANDLERS, publish=PUBLISH, source="/shop", migrate=True) as app:
        yield app


def connector(database_url: str) -> dict[str, Any]:
    """The page's own, with our database in it."""
    (block,) = [each for each in blocks_of(DOCS / "how-to/change-data-capture.md") if each.language == "json"]
    found: dict[str, Any] = json.loads(block.text)
    url = urlsplit(database_url)
    found["config"] |= {
        "database.hostname": url.hostname,
        "database.port": str(url.port),
        "database.user": url.username,
        "database.dbname": url.path.removeprefix("/"),
    }
    return found


def read(kafka_url: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """So many messages, and whatever else is there behind them."""

    async def reading() -> list[ConsumerRecord[bytes, bytes]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=urlsplit(kafka_url).netloc, auto_offset_reset="earliest")
        await consumer.start()
        found: list[ConsumerRecord[bytes, bytes]] = []
        try:
            consumer.assign([TopicPartition(topic, 0) for topic in TOPICS])
            async with asyncio.timeout(WAIT_SECONDS):
                while len(found) < count:
                    found += [each for batch in (await consumer.getmany(timeout_ms=500)).values() for each in batch]
            found += [each for batch in (await consumer.getmany(timeout_ms=2000)).values() for each in batch]
        finally:
            await consumer.stop()
        return found

    return asyncio.run(reading())


def test_debeziums_outbox_event_router_reads_the_table_as_it_stands(
    app: Application, database_url: str, kafka_server: Server
) -> None:
    # given messages that were stored before there is a connector
    app.dispatch(Place("o-1", 10))
    app.dispatch(Place("o-2", 2_000))
    with KafkaConnectServer(kafka_server.url, connector(database_url)) as connect:
        parts.record("Kafka Connect", connect.origin)

        # when more are stored, of events and by themselves
        for total in range(11, 31):
            app.dispatch(Place("o-1", total))
        for first in range(0, 100, 10):
            app.outbox.add(
                None,
                *[NewMessage(Numbered(n), key=f"n-{n % 3}", headers={"tenant": "é"}) for n in range(first, first + 10)],
            )
        stored = app.outbox.messages(limit=None)
        found = read(kafka_server.url, len(stored))

    # then each came once, in its topic and under its key, in order, with all that it says
    assert len(stored) == 22 + 1 + 100
    assert sorted(map(_identity, found)) == sorted(each.event.id for each in stored)
    for lane in {(each.event.channel, each.event.key) for each in stored}:
        expected = [each for each in stored if (each.event.channel, each.event.key) == lane]
        came = [each for each in found if (each.topic, (each.key or b"").decode()) == lane]
        assert [each.value for each in came] == [each.event.data for each in expected]
        assert [_identity(each) for each in came] == [each.event.id for each in expected]
    by_id = {_identity(each): dict(each.headers) for each in found}
    for row in stored:
        headers = by_id[row.event.id]
        attributes = json.loads(headers["headers"])
        assert headers["eventType"].decode() == row.event.type
        assert int(headers["created"]) == row.created_us
        assert (attributes["source"], attributes["dataschema"]) == (row.event.source, row.event.schema)
        assert attributes.items() >= row.event.headers.items()


def _identity(record: "ConsumerRecord[bytes, bytes]") -> str:
    return dict(record.headers)["id"].decode()
