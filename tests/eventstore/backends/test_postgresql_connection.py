"""URLs and passwords, and servers that go away."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.engine import make_url

from eventstore import InvalidInput, NewEvent, StoreError, StoreUnavailable, open_store
from eventstore.backends.postgresql.connection import describe
from eventstore.backends.postgresql.errors import Translator
from eventstore.identifier import new_id
from tests.eventstore.backends.postgresql import EVENTS, Ticked, in_flight, opened, terminate, until, waits_for_a_lock
from tests.services.postgresql import PostgresServer


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_the_url_means_psycopg(postgres_url: str, scheme: str) -> None:
    with opened(postgres_url.replace("postgresql", scheme, 1)) as store:
        assert store.append("a-1", [Ticked(1)]).position == 1


def test_the_description_has_neither_user_nor_password() -> None:
    url = make_url("postgresql://ada:s3cret@db.example:5433/bank?sslmode=require")
    assert describe(url) == "PostgreSQL db.example:5433/bank"
    assert describe(make_url("postgresql:///bank")) == "PostgreSQL local socket/bank"


def test_a_password_never_stands_in_an_error(postgres_url: str) -> None:
    url = make_url(postgres_url.replace("postgres@", "nobody_here:s3cret@", 1))

    with pytest.raises(StoreError) as refused:
        open_store(url.render_as_string(hide_password=False))

    assert "s3cret" not in str(refused.value)
    translated = Translator(url, "PostgreSQL").translate(psycopg.OperationalError("no: password=s3cret"))
    assert "s3cret" not in str(translated)


@pytest.mark.parametrize("url", ["postgresql://ada:s3cret@host:port/bank", "postgresql//ada:s3cret@host/bank"])
def test_a_password_never_stands_in_the_refusal_of_a_url(url: str) -> None:
    with pytest.raises(InvalidInput, match="expected a URL such as") as refused:
        open_store(url)

    assert "s3cret" not in str(refused.value)


def test_a_server_that_cannot_be_reached_is_said_in_whole_sentences_and_without_a_word_of_appends() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://ada:s3cret@127.0.0.1:1/bank")

    assert str(caught.value).startswith("PostgreSQL 127.0.0.1:1/bank: connection failed")
    assert "Connection refused. Check that the server runs" in str(caught.value)
    assert "append" not in str(caught.value)


def test_idle_connections_that_the_server_has_closed_are_not_used_again(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    with opened(url) as store, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.append(f"a-{n}", [Ticked(n)]), range(8)))

        private_postgres.restart()

        assert [each.version for each in store.read_stream("a-1")] == [1]
        list(pool.map(lambda n: store.append(f"a-{n}", [Ticked(n)]), range(8)))
        assert store.backend.count() == 16


def test_a_server_that_crashes_during_an_append_is_unavailable_and_then_used_again(
    private_postgres: PostgresServer,
) -> None:
    url = private_postgres.create_database()
    events = [NewEvent(Ticked(n), event_id=new_id()) for n in range(3)]
    with opened(url) as store, ThreadPoolExecutor(1) as pool:
        with in_flight(store, "a-1") as blocking:
            append = pool.submit(store.append, "a-1", events)
            until(lambda: waits_for_a_lock(url))
            private_postgres.kill()
            with pytest.raises(StoreUnavailable, match="repeat it with the same event ids"):
                append.result()
            blocking.invalidate()
        with pytest.raises(StoreUnavailable):
            store.head()

        private_postgres.start()

        assert store.append("a-1", events).versions == {"a-1": 3}
        assert store.append("a-1", events).versions == {"a-1": 3}
        assert [each.event.n for each in store.read_log()] == [0, 1, 2]


def test_every_caller_of_a_group_is_told_when_the_server_goes_away(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(8) as pool:
        with in_flight(store, "a-1"):
            first = pool.submit(store.append, "a-1", [Ticked(0)])
            until(lambda: waits_for_a_lock(postgres_url))
            with psycopg.connect(postgres_url) as connection:
                ((pid,),) = connection.execute("SELECT pid FROM pg_locks WHERE NOT granted").fetchall()
            terminate(postgres_url, pid)
            with pytest.raises(StoreUnavailable):
                first.result()

        assert store.append("a-1", [Ticked(0)]).versions == {"a-1": 1}


def test_closing_ends_every_connection(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(1)])
        store.listen()
        store.backend.listen(lambda: None)

    def others() -> int:
        with psycopg.connect(postgres_url) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        assert found is not None
        return int(found[0])

    until(lambda: others() == 0)
    with open_store(postgres_url, events=EVENTS) as again:
        assert again.head() == 1
