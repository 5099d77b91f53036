"""Readers stop below the lowest append in flight, whatever becomes of it, and wait for nothing else."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import psycopg
import pytest

from eventstore import NotFound, open_store, subscribe
from tests.eventstore.backends.postgresql import Ticked, connected, in_flight, opened, pid_of, terminate, visible


def test_an_empty_log_is_complete_up_to_nothing(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        assert store.head() == 0


def test_the_very_first_append_in_flight_holds_readers_back(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        with in_flight(store, "slow-1") as connection:
            store.append("quick-1", [Ticked(1)])
            assert (store.head(), visible(store)) == (0, [])
            connection.commit()
        assert visible(store) == [1, 2]


def test_readers_stop_below_an_append_in_flight_and_go_on_when_it_commits(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("quick-1", [Ticked(1), Ticked(2)])

        with in_flight(store, "slow-1") as connection:
            store.append("quick-1", [Ticked(3), Ticked(4)])
            assert visible(store) == [1, 2]
            connection.commit()

        assert visible(store) == [1, 2, 3, 4, 5]


def test_an_append_that_is_rolled_back_leaves_a_gap_and_holds_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        with in_flight(store, "slow-1") as connection:
            store.append("quick-1", [Ticked(1)])
            assert visible(store) == []
            connection.rollback()

        assert visible(store) == [2]
        assert store.backend.count() == 1


def test_an_append_whose_session_is_killed_holds_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store, in_flight(store, "slow-1") as connection:
        store.append("quick-1", [Ticked(1)])
        assert visible(store) == []
        terminate(postgres_url, pid_of(connection))
        connection.invalidate()

        assert visible(store) == [2]


def test_the_lowest_of_several_appends_in_flight_counts(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        with in_flight(store, "slow-1") as one, in_flight(store, "slow-2") as other:
            store.append("quick-1", [Ticked(1)])
            other.commit()
            assert visible(store) == []
            one.rollback()

        assert visible(store) == [2, 3]


def test_an_append_undone_by_a_savepoint_holds_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store, in_flight(store, "slow-1") as connection:
        nested = connection.begin_nested()
        store.append("slow-2", [Ticked(1)], connection=connection)
        nested.rollback()
        connection.commit()

        assert visible(store) == [1]


@pytest.mark.parametrize("count", [1, 3])
def test_one_event_and_several_hold_the_lock_while_they_are_in_flight(postgres_url: str, count: int) -> None:
    with opened(postgres_url) as store, connected(store) as connection:
        store.append("slow-1", [Ticked(n) for n in range(count)], connection=connection)
        assert [(each.position, each.pid) for each in store.stalled_appends()] == [(0, pid_of(connection))]


def test_a_long_transaction_that_appends_nothing_stalls_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store, psycopg.connect(postgres_url) as backup:
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM eventfold_events")
        backup.execute("CREATE TABLE unrelated (n int)")
        store.append("quick-1", [Ticked(1)])

        assert visible(store) == [1]
        assert store.stalled_appends() == []


@pytest.mark.parametrize("other", [{"prefix": "other_"}, {"schema": "other"}])
def test_two_logs_in_one_database_do_not_hold_each_other_back(postgres_url: str, other: dict[str, str]) -> None:
    with opened(postgres_url) as store, opened(postgres_url, **other) as second:
        with in_flight(second, "slow-1"):
            store.append("quick-1", [Ticked(1)])
            assert visible(store) == [1]
            assert store.stalled_appends() == []
            assert len(second.stalled_appends()) == 1
        assert visible(second) == []


def test_a_stalled_append_is_named_by_its_process(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("quick-1", [Ticked(1), Ticked(2)])

        with in_flight(store, "slow-1") as first, in_flight(store, "slow-2") as second:
            store.append("slow-1", [Ticked(1)], connection=first)
            found = store.stalled_appends()

            assert [each.pid for each in found] == [pid_of(first), pid_of(second)]
            assert found[0].position == 2
            assert found[0].seconds >= found[1].seconds >= 0
            assert found[0].state.startswith("idle in transaction")

        assert store.stalled_appends() == []


@pytest.mark.parametrize("last", [2**31 - 2, 2**31 - 1, 2**31, 2**40])
def test_positions_go_on_where_the_lock_keys_begin_anew(postgres_url: str, last: int) -> None:
    with opened(postgres_url) as store:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("SELECT setval('eventfold_positions', %s)", [last])

        with in_flight(store, "slow-1") as held:
            for n in range(3):
                store.append("quick-1", [Ticked(n)])
            assert store.head() == last
            assert [each.position for each in store.stalled_appends()] == [last]
            held.commit()

        assert visible(store) == [last + n for n in range(1, 5)]


def test_a_subscription_in_another_store_gets_a_late_commit_in_its_place(postgres_url: str) -> None:
    with (
        opened(postgres_url) as writer,
        opened(postgres_url) as reader,
        subscribe(reader) as subscription,
        ThreadPoolExecutor(1) as pool,
        in_flight(writer, "slow-1") as held,
    ):
        writer.append("quick-1", [Ticked(1)])
        following = pool.submit(lambda: [each.position for each in islice(subscription, 2)])
        held.commit()
        assert following.result() == [1, 2]


def test_the_head_and_what_is_read_agree_while_nothing_is_in_flight(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("quick-1", [Ticked(n) for n in range(10)])
        assert store.head() == 10
        with pytest.raises(NotFound):
            store.instant_of(0)
    with open_store(postgres_url) as again:
        assert again.head() == 10
