"""What a stream of NATS refuses by its own limits: said at once, and in the way of nothing else."""

import asyncio
import time
from typing import Any

import nats
import pytest
from nats.js.api import DiscardPolicy, StreamConfig

from commands import BrokerUnavailable, MessageRefused
from commands.brokers import nats_batch
from commands.brokers.broker import partition_of
from commands.brokers.opening import open_broker
from commands.cloud_event import CloudEvent
from commands.testing.brokers.base import message
from tests.services.server import Server

SUBJECTS = 2
CROWDED, OTHER = (
    next(key for key in "abcdefgh" if partition_of(key, SUBJECTS) == number) for number in range(SUBJECTS)
)


def published(server: Server, limits: dict[str, Any], events: list[CloudEvent]) -> list[Exception | None]:
    """What becomes of messages for a stream with limits of its own."""

    async def main() -> list[Exception | None]:
        client = await nats.connect(server.url)
        channel = events[0].channel
        subjects = [f"{channel}.{number}" for number in range(SUBJECTS)]
        about = {"eventfold_partitions": str(SUBJECTS)}
        await client.jetstream().add_stream(
            StreamConfig(name=channel, subjects=subjects, metadata=about, allow_atomic=True, **limits)
        )
        broker = open_broker(server.url)
        try:
            return await broker.publish(events)
        finally:
            await broker.close()
            await client.jetstream().delete_stream(channel)
            await client.close()

    began = time.monotonic()
    found = asyncio.run(main())
    assert time.monotonic() - began < 8  # what is refused is not waited for, as an answer that does not come would be
    return found


def test_a_message_that_is_too_large_for_the_stream_is_refused_and_the_others_are_kept(nats_server: Server) -> None:
    events = [message("small", 1, "a"), message("small", 2, "b", b'"' + b"x" * 1_000 + b'"'), message("small", 3, "c")]

    first, large, last = published(nats_server, {"max_msg_size": 500}, events)

    assert (first, last) == (None, None)
    assert isinstance(large, MessageRefused)


def test_what_does_not_fit_any_more_holds_back_its_own_key_alone(
    nats_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_batch, "MOST_AT_ONCE", 4)
    limits = {"max_msgs_per_subject": 3, "discard": DiscardPolicy.NEW, "discard_new_per_subject": True}
    events = [message("narrow", number, CROWDED) for number in range(6)]
    events += [message("narrow", 10 + number, OTHER) for number in range(3)]

    outcomes = published(nats_server, limits, events)

    assert outcomes[:3] == [None] * 3
    assert {type(each) for each in outcomes[3:6]} == {BrokerUnavailable}
    assert {each.channel for each in outcomes[3:6] if isinstance(each, BrokerUnavailable)} == {"narrow"}
    assert "maximum messages per subject exceeded" in str(outcomes[3])
    assert outcomes[6:] == [None] * 3
