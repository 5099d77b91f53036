"""Snapshots in a database: never ahead of a log that was restored, safe to write at once, and no table is taken for granted."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from eventstore import EventStore, open_store
from eventstore.loading import load_stream, moment
from eventstore.snapshot import kind_of
from eventstore.snapshot_keeping import snapshot_status
from eventstore.testing.contract.snapshots import Purse
from eventstore.testing.contract.vocabulary import EVENTS, Deposited


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest) -> Iterator[EventStore]:
    url = request.getfixturevalue(f"{request.param}_url")
    with open_store(url, events=EVENTS, migrate=True, prefix="bank_") as store:
        yield store


@pytest.mark.parametrize("change", ["version = version + 5", "event_id = '00000000-0000-7000-8000-000000000000'"])
def test_given_a_snapshot_of_an_event_that_the_log_lacks_then_it_is_neither_used_nor_kept(
    store: EventStore, change: str
) -> None:
    store.append("account-1", [Deposited(1)] * 4)
    store.snapshots.take(Purse, "account-1")
    store.append("account-1", [Deposited(1)])
    store.snapshots.take(Purse, "account-1")
    execute(store, f"UPDATE bank_snapshots SET {change} WHERE version = 5")

    loaded = store.load(Purse, "1")

    assert store.backend.snapshots is not None
    assert (loaded.version, loaded.snapshot) == (5, 4)
    (counted,) = store.backend.snapshots.counts()
    assert (counted.streams, counted.snapshots, counted.ahead) == (1, 2, 1)
    (kept, _) = store.backend.snapshots.page(kind_of(Purse), ("", 0), None, 9)
    assert counted.size == len(kept.state)
    assert [each.in_log for each in store.backend.snapshots.page(kind_of(Purse), ("", 0), None, 9)] == [True, False]
    store.append("account-1", [Deposited(1)])
    store.snapshots.take(Purse, "account-1")
    assert [each.version for each in store.backend.snapshots.page(kind_of(Purse), ("", 0), None, 9)] == [4, 6]


def test_given_a_stream_of_which_every_snapshot_is_ahead_of_the_log_then_it_has_none_that_loads_use(
    store: EventStore,
) -> None:
    store.append("account-1", [Deposited(1)])
    store.snapshots.take(Purse, "account-1")
    execute(store, "UPDATE bank_snapshots SET version = 9")

    (status,) = snapshot_status(store, [Purse])

    assert (status.streams, status.snapshots, status.size, status.ahead) == (0, 0, 0, 1)


def test_only_those_ahead_of_the_log_are_deleted_when_asked_to(store: EventStore) -> None:
    for _ in range(2):
        store.append("account-1", [Deposited(1)])
        store.snapshots.take(Purse, "account-1")
    execute(store, "UPDATE bank_snapshots SET version = 9 WHERE version = 2")

    assert store.backend.snapshots is not None
    assert store.backend.snapshots.delete(kind_of(Purse), ahead_only=True) == 1
    assert [each.version for each in store.backend.snapshots.page(kind_of(Purse), ("", 0), None, 9)] == [1]


def test_given_a_file_restored_under_the_application_then_the_states_in_memory_are_not_used(tmp_path: Path) -> None:
    live, backup = tmp_path / "live.db", tmp_path / "backup.db"
    with open_store(f"sqlite:///{live}", events=EVENTS) as store:
        store.append("account-1", [Deposited(1)])
    shutil.copy(live, backup)
    with open_store(f"sqlite:///{live}", events=EVENTS, cache_states=9) as store:
        store.append("account-1", [Deposited(10), Deposited(100)])
        assert store.load(Purse, "1").state.balance == 111

        with sqlite3.connect(backup) as older, sqlite3.connect(live) as newer:
            older.backup(newer)
        older.close(), newer.close()

        assert store.load(Purse, "1").state.balance == 1
        store.append("account-1", [Deposited(5), Deposited(7)])
        assert store.load(Purse, "1").state.balance == 13


def test_given_a_snapshot_that_cannot_be_decoded_then_replay_takes_over(
    store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.append("account-1", [Deposited(1)])
    store.snapshots.take(Purse, "account-1")
    execute(store, 'UPDATE bank_snapshots SET state = \'{"balance": "x"}\'')

    loaded = store.load(Purse, "1")

    assert (loaded.state.balance, loaded.snapshot) == (1, 0)
    assert "the snapshot of account-1 at version 1 is passed over" in caplog.text


def test_an_instant_before_a_clock_was_set_back_is_answered_from_the_events(store: EventStore) -> None:
    store.append("account-1", [Deposited(1)])
    store.append("account-1", [Deposited(1)])
    last = list(store.read_stream("account-1"))[-1]
    store.snapshots.take(Purse, "account-1")
    execute(store, f"UPDATE bank_snapshots SET recorded_at = {last.recorded_us + 1}")

    loaded = store.load(Purse, "1", moment(at=last.recorded_at))

    assert (loaded.version, loaded.snapshot) == (2, 0)


def test_writers_of_one_snapshot_at_once_leave_the_newest(store: EventStore) -> None:
    store.append("account-1", [Deposited(1)] * 40)
    states = [load_stream(store.backend, Purse, "account-1", moment(at_version=n)).state for n in range(1, 41)]
    ids = [each.event_id for each in store.read_stream("account-1")]
    writer = store.snapshots._writer
    assert writer is not None

    def write(own: int) -> None:
        for version in range(own, 41, 4):
            writer.write_now(Purse, "account-1", states[version - 1], version, ids[version - 1])

    threads = [threading.Thread(target=write, args=[own]) for own in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.load(Purse, "1").snapshot == 40
    assert store.backend.snapshots is not None
    kept = [each.version for each in store.backend.snapshots.page(kind_of(Purse), ("", 0), None, 99)]
    assert kept[-1] == 40
    assert len(kept) <= 3 + len(threads)


def execute(store: EventStore, statement: str) -> None:
    assert store.backend.sql is not None
    with store.backend.sql.transaction() as connection:
        connection.execute(text(statement))
