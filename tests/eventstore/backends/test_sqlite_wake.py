"""Wake-ups through named pipes: who hears, who is tidied away."""

import os
import threading
from pathlib import Path

import pytest

from eventstore.backends.sqlite.wake import SUPPORTED, WakePipes

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="there are no named pipes here")

PATIENCE_SECONDS = 60


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def folder_of(database: Path) -> Path:
    return database.with_name("log.db-wake")


def test_an_announcement_wakes_the_listeners_of_others_and_not_ones_own(database: Path) -> None:
    mine, other = WakePipes(database), WakePipes(database)
    heard, own = threading.Event(), threading.Event()
    stop_other, stop_mine = other.listen(heard.set), mine.listen(own.set)

    mine.announce()

    assert heard.wait(PATIENCE_SECONDS)
    stop_other()
    stop_mine()
    assert not own.is_set()


def test_where_nobody_listens_nothing_is_left_behind(database: Path) -> None:
    WakePipes(database).announce()
    assert not folder_of(database).exists()

    WakePipes(database).listen(lambda: None)()
    assert not folder_of(database).exists()


def test_the_pipe_of_a_process_that_was_killed_is_removed(database: Path) -> None:
    dead = folder_of(database) / "dead"
    dead.parent.mkdir()
    os.mkfifo(dead)

    WakePipes(database).announce()

    assert not dead.exists()


def test_a_listener_that_does_not_look_holds_nobody_up(database: Path) -> None:
    held, waking = threading.Event(), threading.Event()

    def wake() -> None:
        waking.set()
        held.wait(PATIENCE_SECONDS)

    stop = WakePipes(database).listen(wake)
    WakePipes(database).announce()
    assert waking.wait(PATIENCE_SECONDS)
    (pipe,) = folder_of(database).iterdir()
    handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    while os.write(handle, b"!" * 100_000) == 100_000:
        pass

    WakePipes(database).announce()

    os.close(handle)
    held.set()
    stop()
