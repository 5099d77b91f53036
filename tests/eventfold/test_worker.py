"""The worker: follows appends of anybody, survives a database that goes away, stops when asked."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from eventfold import Application, NotMigrated, SqlTable, open_store
from tests.projections.shop import EVENTS, Added, assert_straight, bindings, fill, open_app, open_engine, rows_of
from tests.services.postgresql import PostgresServer

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def wait_until_caught_up(url: str) -> None:
    """Waits for a worker elsewhere, without helping it: asks only where the rows stand."""
    with open_app(url) as looking:
        engine, bell = looking.engine, threading.Event()
        looking.store.listen()
        looking.store.signal.add(bell.set)
        head = looking.store.head()
        for _ in range(int(PATIENCE_SECONDS * 20)):
            generations = [each for track in engine.tracks for each in track.target.generations()]
            standing = [each.position for each in generations if each.state == "live"]
            if standing and min(standing) >= head:
                return
            bell.wait(0.05)
            bell.clear()
    raise AssertionError(f"the worker stands at {standing}, and the log at {head}")


def test_it_follows_appends_of_another_application_until_it_is_stopped(sqlite_url: str) -> None:
    with open_app(sqlite_url) as app, open_app(sqlite_url) as writer:
        with app.worker():
            fill(writer.store, 20)
            wait_until_caught_up(sqlite_url)
        assert_straight(app.store, app.engine)
        stopped_at = app.store.head()
        fill(writer.store, 5)
        assert {each.position for track in app.engine.tracks for each in track.target.generations()} == {stopped_at}


def test_when_the_server_restarts_then_it_goes_on(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    with open_app(url) as app, app.worker():
        fill(app.store, 10)
        wait_until_caught_up(url)
        private_postgres.restart()
        with open_store(url, events=EVENTS) as store:
            store.append("item-new", [Added(3)])
        wait_until_caught_up(url)
        assert_straight(app.store, app.engine)
        assert "new" in rows_of(app.engine, "stock")


def test_when_another_process_holds_the_file_for_long_then_it_waits_and_goes_on(sqlite_url: str) -> None:

    with (
        open_app(sqlite_url) as other,
        Application(sqlite_url, projections=bindings(SqlTable), events=EVENTS, busy_seconds=0.05) as app,
    ):
        app.catch_up()
        fill(other.store, 5)
        assert other.store.backend.sql is not None
        with other.store.backend.sql.transaction():
            worker = app.worker().start()
            refused = threading.Event()
            while worker.error is None:
                refused.wait(0.01)
        wait_until_caught_up(sqlite_url)
        worker.stop()
        assert_straight(app.store, app.engine)


def test_when_a_process_is_terminated_then_its_rows_belong_to_their_checkpoint(sqlite_url: str) -> None:
    command = [sys.executable, "-m", "tests.projections.victim", sqlite_url, "1", "project"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(process.stdout.read(30)) == 30
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    with open_app(sqlite_url) as app:
        engine = open_engine(app.store)
        assert all(track.generation for track in engine.tracks)
        assert_straight(app.store, engine)
        engine.catch_up()
        assert_straight(app.store, engine)


def test_after_it_was_stopped_it_can_be_started_again(sqlite_url: str) -> None:
    with open_app(sqlite_url) as app:
        worker = app.worker()
        with worker:
            fill(app.store, 5)
            wait_until_caught_up(sqlite_url)
        worker.stop()
        assert not worker.running

        with worker:
            assert worker.start() is worker
            fill(app.store, 5, seed=5)
            wait_until_caught_up(sqlite_url)

        assert_straight(app.store, app.engine)


def test_after_it_was_stopped_it_can_be_run_again(sqlite_url: str) -> None:
    with open_app(sqlite_url) as app:
        worker = app.worker()
        for round_ in range(2):
            thread = threading.Thread(target=worker.run)
            thread.start()
            fill(app.store, 5, seed=5 * round_)
            wait_until_caught_up(sqlite_url)
            worker.stop()
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def test_given_an_unexpected_error_then_it_is_logged_and_told_and_the_worker_goes_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed, looked = threading.Event(), threading.Event()
    with open_app(sqlite_url) as app:
        worker, step, calls = app.worker(), app.engine.step, 0

        def flaky(*tracks: Any, **options: Any) -> bool:
            nonlocal calls
            calls += 1
            if calls <= 3:
                raise ZeroDivisionError("out of the blue")
            if calls == 4:
                failed.set()
                assert looked.wait(PATIENCE_SECONDS)
            return step(*tracks, **options)

        monkeypatch.setattr(app.engine, "step", flaky)
        with worker:
            fill(app.store, 5)
            assert failed.wait(PATIENCE_SECONDS)
            assert isinstance(worker.error, ZeroDivisionError)
            assert worker.running
            looked.set()
            wait_until_caught_up(sqlite_url)
        assert worker.error is None
        assert_straight(app.store, app.engine)
    told = [record for record in caplog.records if record.name == "eventfold.worker"]
    assert [record.exc_info is not None for record in told] == [True, False, False]


def test_given_a_projection_that_cannot_be_rebuilt_then_the_others_go_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("out of the blue")

    with open_app(sqlite_url) as app:
        fill(app.store, 5)
        app.catch_up()
        monkeypatch.setattr("projections.rebuild_turn.outdated", lambda track: track.projection.name == "stock")
        monkeypatch.setattr("eventfold.outdated.rebuild", refuse)
        with app.worker():
            fill(app.store, 5, seed=5)
            wait_until_caught_up(sqlite_url)
        assert_straight(app.store, app.engine)
    assert "projection stock cannot be rebuilt" in caplog.text


def test_a_database_that_cannot_be_opened_is_told_to_who_starts_it(sqlite_url: str) -> None:
    with Application(sqlite_url, migrate=False) as app, pytest.raises(NotMigrated):
        app.worker().start()
