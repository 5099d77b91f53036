"""Snapshots: loads that begin with one give what replay gives, at any moment, and never what the log does not hold."""

import threading
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from eventstore import snapshot_writer
from eventstore.aggregate import Aggregate
from eventstore.errors import UnfitState
from eventstore.loading import load_stream, moment
from eventstore.new_event import NewEvent
from eventstore.recording import Recording
from eventstore.snapshot import NewSnapshot, kind_of
from eventstore.snapshot_policy import SnapshotPolicy
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, StoreFactory
from eventstore.testing.contract.vocabulary import Deposited, Renamed, Withdrawn

PurseEvent: TypeAlias = Deposited | Withdrawn | Renamed


class Purse(Aggregate[PurseEvent], category="account", snapshots=SnapshotPolicy(every=3, keep=3)):
    """The account again, with snapshots; its state is all that happened."""

    balance: int = 0
    seen: tuple[str, ...] = ()

    def evolve(self, event: PurseEvent) -> "Purse":
        """Adds, and remembers."""
        worth = event.amount if isinstance(event, Deposited) else -event.amount if isinstance(event, Withdrawn) else 0
        return Purse(self.balance + worth, (*self.seen, repr(event)))


class OnDemand(Aggregate[Deposited], category="account", snapshots=SnapshotPolicy()):
    """Has the snapshots that somebody asks for."""

    total: float = 0.0

    def evolve(self, event: Deposited) -> "OnDemand":
        """Adds; the state of one event is none that JSON could hold."""
        return OnDemand(float("nan") if event.amount == 666 else self.total + event.amount)


class PurseObject(Recording[Purse]):
    """The object style."""


class Snapshots(StoreCases):
    """A purse of a few events."""

    needs = "keeps_snapshots"

    def test_a_load_begins_with_the_snapshot_and_gives_what_replay_gives(self, store: EventStore) -> None:
        _given(store, 4)
        assert store.snapshots.take(Purse, "account-1") == (4, True)
        assert store.snapshots.take(Purse, "account-1") == (4, False)
        store.append("account-1", [Deposited(5), Renamed("x")])

        loaded = store.load(Purse, "1")

        assert loaded.snapshot == 4
        assert replace(loaded, snapshot=0) == load_stream(store.backend, Purse, "account-1")

    def test_a_load_at_any_moment_begins_with_the_nearest_older_snapshot(self, store: EventStore) -> None:
        for count in (3, 3, 2):
            _given(store, count)
            store.snapshots.take(Purse, "account-1")
        _given(store, 1)

        used = []
        for each in store.read_stream("account-1"):
            for part in (moment(at_version=each.version), moment(position=each.position), moment(at=each.recorded_at)):
                loaded = store.load(Purse, "1", part)
                assert loaded.snapshot <= each.version
                assert replace(loaded, snapshot=0) == load_stream(store.backend, Purse, "account-1", part)
            used.append(store.load(Purse, "1", moment(at_version=each.version)).snapshot)
        assert used == [0, 0, 3, 3, 3, 6, 6, 8, 8]

    def test_a_load_by_business_time_folds_from_the_beginning(self, store: EventStore) -> None:
        day = datetime(2024, 1, 2, tzinfo=UTC)
        store.append("account-1", [NewEvent(Deposited(1), occurred_at=day.replace(day=3))])
        store.append("account-1", [NewEvent(Deposited(2), occurred_at=day)])
        store.snapshots.take(Purse, "account-1")

        loaded = store.load(Purse, "1", moment(occurred=day))

        assert (loaded.state.balance, loaded.snapshot) == (2, 0)

    def test_so_many_of_the_newest_are_kept(self, store: EventStore) -> None:
        for _ in range(5):
            _given(store, 1)
            store.snapshots.take(Purse, "account-1")

        assert _kept(store, Purse) == [3, 4, 5]

    def test_a_snapshot_follows_the_append_that_made_it_due(self, store: EventStore) -> None:
        purse = PurseObject.new("1")
        for amount in range(1, 3):
            purse.record(Deposited(amount))
        purse.save(store)
        store.snapshots.flush()
        assert _kept(store, Purse) == []

        purse.record(Deposited(3))
        purse.save(store)
        store.snapshots.flush()

        assert _kept(store, Purse) == [3]
        assert store.load(Purse, "1") == replace(load_stream(store.backend, Purse, "account-1"), snapshot=3)

    def test_one_that_found_no_room_is_made_up_for_by_the_next_append(
        self, store: EventStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        purse = PurseObject.new("1")
        with monkeypatch.context() as patched:
            patched.setattr(snapshot_writer, "MAX_WAITING", 0)
            for _ in range(3):
                purse.record(Deposited(1))
            purse.save(store)
        store.snapshots.flush()
        assert _kept(store, Purse) == []

        purse.record(Deposited(1))
        purse.save(store)
        store.snapshots.flush()

        assert _kept(store, Purse) == [4]

    def test_the_due_ones_are_written_before_the_store_closes(self, open_store: StoreFactory) -> None:
        store = open_store()
        for stream in range(20):
            purse = PurseObject.new(str(stream))
            for _ in range(3):
                purse.record(Deposited(1))
            purse.save(store)

        store.snapshots.close()

        assert len(_page(store, Purse)) == 20

    def test_a_snapshot_of_an_event_that_the_log_does_not_hold_is_not_kept(self, store: EventStore) -> None:
        _given(store, 3)
        strange = NewSnapshot("account-1", kind_of(Purse), 3, "00000000-0000-7000-8000-000000000000", "{}")

        assert store.backend.snapshots is not None
        assert not store.backend.snapshots.save(strange, 1)
        assert not store.backend.snapshots.save(strange._replace(version=4), 1)
        assert _kept(store, Purse) == []

    def test_a_state_that_would_not_read_back_equal_is_refused(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(666)])

        with pytest.raises(UnfitState, match="OnDemand: the state cannot be kept as JSON: Expected `float`"):
            store.snapshots.take(OnDemand, "account-1")

        assert _kept(store, OnDemand) == []

    def test_a_failure_to_write_is_logged_and_hurts_nobody(
        self, store: EventStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_anything: object) -> bool:
            raise RuntimeError("the disk is full")

        monkeypatch.setattr(store.backend.snapshots, "save", fail)
        purse = PurseObject.new("1")
        for _ in range(3):
            purse.record(Deposited(1))
        purse.save(store)
        store.snapshots.flush()

        assert "no snapshot of account-1 at version 3" in caplog.text
        assert "the disk is full" in caplog.text
        assert store.load(Purse, "1").state.balance == 3

    def test_losing_all_of_them_loses_nothing(self, store: EventStore) -> None:
        _given(store, 5)
        store.snapshots.take(Purse, "account-1")
        before = store.load(Purse, "1")

        assert store.backend.snapshots is not None
        assert store.backend.snapshots.delete(kind_of(Purse)) == 1

        assert (before.snapshot, store.load(Purse, "1")) == (5, replace(before, snapshot=0))

    def test_kinds_are_counted(self, store: EventStore) -> None:
        _given(store, 3)
        for _ in range(2):
            store.append("account-1", [Deposited(1)])
            store.snapshots.take(Purse, "account-1")
        store.append("account-2", [Deposited(1)])
        store.snapshots.take(Purse, "account-2")
        store.snapshots.take(OnDemand, "account-2")

        assert store.backend.snapshots is not None
        found = {each.aggregate: each for each in store.backend.snapshots.counts()}

        assert (found["Purse"].streams, found["Purse"].snapshots, found["Purse"].ahead) == (2, 3, 0)
        assert (found["OnDemand"].streams, found["OnDemand"].size) == (1, len('{"total":1.0}'))
        assert found["Purse"].fingerprint == kind_of(Purse).fingerprint

    def test_an_object_that_is_saved_often_leaves_snapshots_only_where_they_are_due(self, store: EventStore) -> None:
        purse = PurseObject.new("1")
        for _ in range(8):
            purse.record(Deposited(1))
            purse.save(store)
            store.snapshots.flush()

        assert _kept(store, Purse) == [3, 6]

    def test_a_snapshot_that_was_asked_for_counts_for_states_in_memory(self, open_store: StoreFactory) -> None:
        store = open_store(cache_states=2)
        _given(store, 2)
        store.load(Purse, "1")
        store.snapshots.take(Purse, "account-1")

        assert store.load(Purse, "1").snapshot == 2

    def test_a_state_in_memory_is_brought_up_to_date_with_the_log(self, open_store: StoreFactory) -> None:
        store = open_store(cache_states=2)
        _given(store, 3)
        first = store.load(Purse, "1")
        _given(store, 2)

        second = store.load(Purse, "1")

        assert (first.version, second.version) == (3, 5)
        assert second == load_stream(store.backend, Purse, "account-1")

    def test_the_states_used_last_stay_in_memory(self, open_store: StoreFactory) -> None:
        store = open_store(cache_states=2)
        for stream in "123":
            store.append(f"account-{stream}", [Deposited(1)])
        for stream in "12131":
            store.load(Purse, stream)

        assert len(store.snapshots.cache) == 2
        assert store.snapshots.cache.get(Purse, "account-2") is None
        assert store.snapshots.cache.get(Purse, "account-3") is not None

    def test_threads_that_append_and_load_through_the_memory_see_every_event_once(
        self, open_store: StoreFactory
    ) -> None:
        store = open_store(cache_states=1)
        faults: list[Any] = []

        def work(own: int) -> None:
            for _ in range(15):
                appended = store.append(f"account-{own % 2}", [Deposited(1)])
                version = appended.versions[f"account-{own % 2}"]
                loaded = store.load(Purse, str(own % 2))
                if loaded.version < version or loaded.state.balance != loaded.version:
                    faults.append((version, loaded))

        threads = [threading.Thread(target=work, args=[own]) for own in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert faults == []


def _given(store: EventStore, count: int) -> None:
    for i in range(count):
        store.append("account-1", [[Deposited(i + 10), Withdrawn(i), Renamed(f"name {i}")][i % 3]])


def _page(store: EventStore, aggregate: type[Aggregate[Any]]) -> list[Any]:
    assert store.backend.snapshots is not None
    return store.backend.snapshots.page(kind_of(aggregate), ("", 0), None, 100)


def _kept(store: EventStore, aggregate: type[Aggregate[Any]]) -> list[int]:
    return [each.version for each in _page(store, aggregate)]
