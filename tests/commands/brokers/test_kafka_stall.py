"""A client of Kafka that fetches nothing any more, or does not end, as it happens after restarts of the server, holds nobody up."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from commands.brokers import kafka_subscription
from commands.brokers.kafka_subscription import KafkaSubscription
from commands.brokers.opening import open_broker
from commands.testing.brokers.base import message, numbers_of, read
from tests.services.server import Server

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def one_reader(server: Server) -> AsyncIterator[KafkaSubscription]:
    """Of a channel of its own, which is empty."""
    broker = open_broker(f"{server.url}?partitions=1")
    try:
        reader = await broker.subscribe(f"things-{uuid.uuid4().hex[:12]}", 0, "readers", None)
        assert isinstance(reader, KafkaSubscription)
        yield reader
    finally:
        await broker.close()


def connections_of(reader: KafkaSubscription) -> list[Any]:
    """Those of its client, one of which at least is open."""
    assert reader._consumer is not None
    found = list(reader._consumer._client._conns.values())
    assert any(each.connected() for each in found)
    return found


def test_what_the_client_does_not_fetch_is_read_by_another_one(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_subscription, "STALLED_SECONDS", 0.0)

    async def nothing(*_: Any, **_options: Any) -> dict[Any, Any]:
        return {}

    async def main() -> None:
        async with one_reader(kafka_server) as reader:
            messages = [message(reader._channel, number) for number in range(3)]
            assert await reader._broker.publish(messages) == [None] * 3
            stalled = reader._consumer
            monkeypatch.setattr(stalled, "getmany", nothing)

            assert numbers_of(await read(reader, 3)) == [0, 1, 2]
            assert reader._consumer is not stalled

    asyncio.run(main())


def test_a_client_that_does_not_end_is_given_up_in_time_with_its_connections(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with one_reader(kafka_server) as reader:
            client: Any = reader._consumer
            close, cancelled = client._coordinator.close, 0

            async def stubborn() -> None:
                nonlocal cancelled
                while cancelled < 3:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        cancelled += 1

            monkeypatch.setattr(client._coordinator, "close", stubborn)
            monkeypatch.setattr(reader._broker, "seconds", 0.05)
            connections = connections_of(reader)

            await reader.close()

            assert cancelled == 3
            assert not any(each.connected() for each in connections)
            assert client._fetcher._fetch_task.done()
            await close()
            monkeypatch.undo()

    asyncio.run(main())


def test_what_the_client_would_say_of_the_group_for_ever_ends_with_it(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        async with one_reader(kafka_server) as reader:
            monkeypatch.setattr(reader._consumer, "commit", for_ever)
            await reader.confirm("0@")
            telling = reader._telling
            assert telling is not None

            await reader._let_go()

            assert telling.done()
            assert reader._telling is None

    asyncio.run(main())


def test_a_client_that_ends_half_way_leaves_no_connection_open(kafka_server: Server) -> None:
    async def main() -> None:
        async with one_reader(kafka_server) as reader:
            client: Any = reader._consumer
            waits_to_try_again = asyncio.ensure_future(asyncio.Event().wait())
            client._fetcher._pending_tasks.add(waits_to_try_again)
            connections = connections_of(reader)

            await reader.close()

            assert waits_to_try_again.cancelled()
            assert not any(each.connected() for each in connections)

    asyncio.run(main())
