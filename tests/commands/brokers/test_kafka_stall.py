"""A client of Kafka that fetches nothing any more, or does not end, as it happens after restarts of the server, holds nobody up."""

import asyncio
import uuid
from typing import Any

import pytest

from commands.brokers import kafka_subscription
from commands.brokers.kafka_subscription import KafkaSubscription
from commands.brokers.opening import open_broker
from commands.testing.brokers.base import message, numbers_of, read
from tests.services.server import Server


@pytest.mark.kafka
def test_what_the_client_does_not_fetch_is_read_by_another_one(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_subscription, "STALLED_SECONDS", 0.0)
    channel = f"things-{uuid.uuid4().hex[:12]}"

    async def nothing(*_: Any, **_options: Any) -> dict[Any, Any]:
        return {}

    async def main() -> None:
        broker = open_broker(f"{kafka_server.url}?partitions=1")
        try:
            assert await broker.publish([message(channel, number) for number in range(3)]) == [None] * 3
            reader = await broker.subscribe(channel, 0, "readers", None)
            assert isinstance(reader, KafkaSubscription)
            stalled = reader._consumer
            monkeypatch.setattr(stalled, "getmany", nothing)

            assert numbers_of(await read(reader, 3)) == [0, 1, 2]
            assert reader._consumer is not stalled
            await reader.close()
        finally:
            await broker.close()

    asyncio.run(main())


@pytest.mark.kafka
def test_a_client_that_does_not_end_is_given_up_in_time_with_its_connections(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        broker = open_broker(f"{kafka_server.url}?partitions=1")
        reader = await broker.subscribe(f"things-{uuid.uuid4().hex[:12]}", 0, "readers", None)
        assert isinstance(reader, KafkaSubscription)
        client = reader._consumer
        assert client is not None
        coordinator = client._coordinator
        assert coordinator is not None
        cancelled = 0

        async def stubborn() -> None:
            nonlocal cancelled
            while cancelled < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled += 1

        closing = coordinator.close
        monkeypatch.setattr(coordinator, "close", stubborn)
        monkeypatch.setattr(broker, "seconds", 0.05)
        connections = list(client._client._conns.values())
        assert any(each.connected() for each in connections)

        await reader.close()

        assert cancelled == 3
        assert not any(each.connected() for each in connections)
        assert client._fetcher._fetch_task.done()
        await closing()
        monkeypatch.undo()
        await broker.close()

    asyncio.run(main())


@pytest.mark.kafka
def test_what_the_client_would_say_of_the_group_for_ever_ends_with_it(
    kafka_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = f"things-{uuid.uuid4().hex[:12]}"

    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        broker = open_broker(f"{kafka_server.url}?partitions=1")
        try:
            reader = await broker.subscribe(channel, 0, "readers", None)
            assert isinstance(reader, KafkaSubscription)
            monkeypatch.setattr(reader._consumer, "commit", for_ever)
            await reader.confirm("0@")
            telling = reader._telling
            assert telling is not None

            await reader._let_go()

            assert telling.done()
            assert reader._telling is None
        finally:
            await broker.close()

    asyncio.run(main())


@pytest.mark.kafka
def test_a_client_that_ends_half_way_leaves_no_connection_open(kafka_server: Server) -> None:
    async def main() -> None:
        broker = open_broker(f"{kafka_server.url}?partitions=1")
        reader = await broker.subscribe(f"things-{uuid.uuid4().hex[:12]}", 0, "readers", None)
        assert isinstance(reader, KafkaSubscription)
        client = reader._consumer
        assert client is not None
        waits_to_try_again = asyncio.ensure_future(asyncio.Event().wait())
        client._fetcher._pending_tasks.add(waits_to_try_again)
        connections = list(client._client._conns.values())
        assert any(each.connected() for each in connections)

        await reader.close()

        assert waits_to_try_again.cancelled()
        assert not any(each.connected() for each in connections)
        await broker.close()

    asyncio.run(main())
