"""No message of a key is handed over before the one ahead of it is confirmed."""

import asyncio
from collections.abc import Sequence

from commands.brokers.waves import Outcome, in_waves
from commands.cloud_event import CloudEvent
from commands.errors import BrokerUnavailable


def events(*keys: str) -> list[CloudEvent]:
    return [CloudEvent(str(place), "/s", "T", b"1", "c", key, 0) for place, key in enumerate(keys)]


def run(sent: list[CloudEvent], failing: set[int]) -> tuple[list[list[int]], list[Outcome]]:
    waves: list[list[int]] = []

    async def hand_over(places: Sequence[int]) -> list[Outcome]:
        waves.append(list(places))
        return [BrokerUnavailable("away") if place in failing else None for place in places]

    return waves, asyncio.run(in_waves(sent, hand_over))


def test_the_first_of_each_key_go_at_once_and_the_next_after_them() -> None:
    waves, outcomes = run(events("a", "a", "b", "a", "b", "c"), set())

    assert waves == [[0, 2, 5], [1, 4], [3]]
    assert outcomes == [None] * 6


def test_behind_one_that_fails_nothing_of_its_key_goes_and_everything_else_does() -> None:
    waves, outcomes = run(events("a", "a", "b", "a", "b"), {0})

    assert waves == [[0, 2], [4]]
    assert [type(each) for each in outcomes] == [
        BrokerUnavailable,
        BrokerUnavailable,
        type(None),
        BrokerUnavailable,
        type(None),
    ]
    assert "held back behind a message that failed: away" in str(outcomes[1])


def test_one_key_of_two_channels_is_two() -> None:
    first, second = events("a", "a")
    other = CloudEvent(second.id, second.source, second.type, second.data, "elsewhere", second.key, 0)

    waves, _ = run([first, other], set())

    assert waves == [[0, 1]]
