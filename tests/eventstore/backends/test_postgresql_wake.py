"""News reach listeners in other processes, through restarts, and nobody is woken by nothing."""

import subprocess
import sys
import threading
from itertools import islice

import psycopg

from eventstore import open_store, subscribe
from tests.eventstore.backends.postgresql import (
    EVENTS,
    PATIENCE_SECONDS,
    Ticked,
    in_flight,
    opened,
    send_announcements,
    terminate,
)
from tests.services.postgresql import PostgresServer

FOLLOWER = """
import sys
from itertools import islice
from eventstore import open_store, subscribe
with open_store(sys.argv[1]) as store, subscribe(store, after=store.head()) as subscription:
    print("ready", flush=True)
    for recorded in islice(subscription, 3):
        print(recorded.position, flush=True)
"""


class Bell:
    """Counts wake-ups."""

    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def ring(self) -> None:
        self._rung.release()

    def heard(self) -> bool:
        return self._rung.acquire(timeout=PATIENCE_SECONDS)

    def silent(self) -> bool:
        return not self._rung.acquire(blocking=False)


def listening_pid(url: str) -> int:
    with psycopg.connect(url) as connection:
        ((pid,),) = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        ).fetchall()
    return int(pid)


def test_an_append_wakes_a_subscription_in_another_process(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(0)])
        follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, postgres_url], stdout=subprocess.PIPE, text=True)
        assert follower.stdout is not None
        assert follower.stdout.readline() == "ready\n"

        for n in range(3):
            position = store.append("a-1", [Ticked(n)]).position
            assert follower.stdout.readline() == f"{position}\n"
        follower.communicate()


def test_an_append_in_a_transaction_of_the_callers_wakes_others_after_its_commit(postgres_url: str) -> None:
    with opened(postgres_url) as writer, opened(postgres_url) as reader, subscribe(reader) as subscription:
        with in_flight(writer, "a-1") as connection:
            connection.commit()
        assert [each.position for each in islice(subscription, 1)] == [1]


def test_a_listener_hears_other_stores_and_not_its_own(postgres_url: str) -> None:
    bell = Bell()
    with opened(postgres_url) as store, opened(postgres_url) as other:
        stop = store.backend.listen(bell.ring)
        store.append("a-1", [Ticked(1)])
        send_announcements(store)  # returns when everything is sent
        other.append("a-1", [Ticked(1)])
        assert bell.heard()
        assert bell.silent()
        stop()
        stop()


def test_two_logs_in_one_database_do_not_wake_each_other(postgres_url: str) -> None:
    bell = Bell()
    with opened(postgres_url) as store, opened(postgres_url, schema="other") as second, opened(postgres_url) as third:
        stop = store.backend.listen(bell.ring)
        second.append("a-1", [Ticked(1)])
        send_announcements(second)
        third.append("a-1", [Ticked(1)])
        assert bell.heard()
        assert bell.silent()
        stop()


def test_a_listener_whose_session_was_killed_listens_again_and_says_so(postgres_url: str) -> None:
    bell = Bell()
    with opened(postgres_url) as store, opened(postgres_url) as other:
        stop = store.backend.listen(bell.ring)
        terminate(postgres_url, listening_pid(postgres_url))
        assert bell.heard()
        other.append("a-1", [Ticked(1)])
        assert bell.heard()
        stop()


def test_wake_ups_come_again_after_the_server_was_restarted(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    bell = Bell()
    with opened(url) as store, opened(url) as other:
        other.append("a-1", [Ticked(1)])
        stop = store.backend.listen(bell.ring)
        private_postgres.stop()
        store.backend.announce()
        private_postgres.start()
        assert bell.heard()
        other.append("a-1", [Ticked(2)])
        assert bell.heard()
        stop()


def test_a_listener_can_begin_while_the_server_is_away(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    bell = Bell()
    with opened(url) as store:
        private_postgres.stop()
        stop = store.backend.listen(bell.ring)
        private_postgres.start()
        assert bell.heard()
        stop()


def test_a_store_can_be_closed_while_the_server_is_away(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    with opened(url), open_store(url, events=EVENTS) as store:
        store.append("a-1", [Ticked(1)])
        store.listen()
        private_postgres.stop()
        store.announce()
