"""What is no message, and was put there by somebody else, stops nobody."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from commands.brokers.broker import partition_of
from commands.testing.brokers.base import (
    BrokerCases,
    Connect,
    awaited,
    introduce,
    message,
    numbers_of,
    read,
    subscribed,
    using,
)

Put: TypeAlias = Callable[[str, int, bytes], Awaitable[None]]
"""Puts bytes into a partition of a channel, past our side of it."""


class Strangers(BrokerCases):
    """Cases about what is no message."""

    needs = "takes_anything"

    @pytest.fixture
    def put(self) -> Put:
        """Puts bytes there with the broker's own client."""
        raise NotImplementedError(f"{type(self).__name__}: define the fixture put; see BrokerContract")

    @pytest.mark.parametrize(
        "body", [b"\xff\xfe\x00 no text", b"", b'{"specversion":"1.0"}'], ids=["bytes", "empty", "json"]
    )
    @awaited
    async def test_what_is_no_message_comes_with_its_bytes_and_why_and_stops_nobody(
        self, connect: Connect, channel: str, put: Put, body: bytes
    ) -> None:
        async with using(connect) as broker:
            partitions = await introduce(broker, channel)
            await broker.publish([message(channel, 1)])
            await put(channel, partition_of("k", partitions), body)
            await broker.publish([message(channel, 2)])

            found = await read(await subscribed(broker, channel), 3)

        assert [each.event is None for each in found] == [False, True, False]
        assert numbers_of(found) == [1, 2]
        assert found[1].body == body
        assert "no CloudEvent" in found[1].error
        assert len({each.position for each in found}) == 3
