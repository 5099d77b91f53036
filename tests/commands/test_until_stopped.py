"""Work that fails begins again, after a pause that grows while it fails again and again, and ends when it is stopped."""

import threading
import time
from collections.abc import Iterator

import pytest

from commands import until_stopped as module
from commands.until_stopped import WELL_SECONDS, until_stopped


def fail() -> None:
    raise ValueError("away")


def test_who_has_worked_for_long_before_it_fails_begins_again_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    stopping = threading.Event()

    def backoff(failures: int) -> float:
        asked.append(failures)
        if len(asked) == 5:
            stopping.set()
        return 0

    monkeypatch.setattr(module, "backoff", backoff)
    monkeypatch.setattr(module, "time", Instants([0, 0, 0, WELL_SECONDS, 0]))
    until_stopped(fail, stopping, "somebody")

    assert asked == [1, 2, 3, 1, 2]
    assert [each.getMessage() for each in caplog.records] == ["somebody begins again"] * 2  # once for each time


def test_a_pause_ends_at_once_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping, waits = threading.Event(), threading.Event()

    def backoff(_failures: int) -> float:
        waits.set()
        return 600.0

    monkeypatch.setattr(module, "backoff", backoff)
    thread = threading.Thread(target=until_stopped, args=(fail, stopping, "somebody"), daemon=True)
    thread.start()
    assert waits.wait(30)

    stopping.set()
    thread.join(30)

    assert not thread.is_alive()


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
