"""A worker's relay begins again, after a pause that grows while it fails again and again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from eventfold import Outbox, RelayPolicy, relay_follower
from eventfold.relay_follower import WELL_SECONDS, RelayFollower


def test_who_has_worked_for_long_before_it_fails_begins_again_at_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    instants = Instants([0, 0, 0, WELL_SECONDS, 0])

    def backoff(failures: int) -> float:
        asked.append(failures)
        if len(asked) == 5:
            follower._stopping.set()
        return 0

    with Outbox(sqlite_url) as outbox:
        broker: Any = lambda: None  # noqa: E731 - which fails each time
        follower = RelayFollower(lambda: outbox, broker, RelayPolicy())
        monkeypatch.setattr(relay_follower, "backoff", backoff)
        monkeypatch.setattr(relay_follower, "time", instants)
        follower.start()
        follower._thread.join(30)

    assert asked == [1, 2, 3, 1, 2]


class Instants:
    """A clock by which each attempt takes as long as is said."""

    def __init__(self, seconds: list[float]) -> None:
        self._told = _ends(seconds)

    def monotonic(self) -> float:
        return next(self._told, time.monotonic())


def _ends(seconds: list[float]) -> Iterator[float]:
    now = 1_000.0
    for each in seconds:
        yield now
        now += each
        yield now
