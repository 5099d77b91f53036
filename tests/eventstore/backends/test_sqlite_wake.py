"""Wake-ups through named pipes: who hears, who is tidied away."""

import errno
import os
import threading
from collections.abc import Callable
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


def test_whoever_has_just_seen_nobody_announces_to_a_listener_that_has_begun_since(database: Path) -> None:
    resting, heard = WakePipes(database), threading.Event()
    resting.announce()

    stop = WakePipes(database).listen(heard.set)
    resting.announce()

    assert heard.wait(PATIENCE_SECONDS)
    stop()


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


def test_what_cannot_be_woken_does_not_fail_an_append_that_is_stored(database: Path) -> None:
    strange = folder_of(database) / "strange"
    strange.mkdir(parents=True)

    WakePipes(database).announce()

    assert strange.exists()


def test_a_listener_that_goes_while_it_is_woken_does_not_fail_the_append(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = folder_of(database) / "going"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write = os.write

    def leave_before(handle: int, data: bytes) -> int:
        os.close(reader)
        return write(handle, data)

    monkeypatch.setattr(os, "write", leave_before)

    WakePipes(database).announce()

    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.close(reader)


def test_a_process_without_a_file_handle_left_removes_nobodys_pipe(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = threading.Event()
    stop = WakePipes(database).listen(heard.set)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse(errno.EMFILE))

        WakePipes(database).announce()

    WakePipes(database).announce()
    assert heard.wait(PATIENCE_SECONDS)
    stop()


def test_where_no_pipe_can_be_made_the_log_says_so_and_reading_goes_on(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Path, "mkdir", refuse(errno.EROFS))

    WakePipes(database).listen(lambda: None)()

    assert "readers look now and then instead" in caplog.text


def refuse(number: int) -> Callable[..., int]:
    def call(*_arguments: object, **_options: object) -> int:
        raise OSError(number, os.strerror(number))

    return call
