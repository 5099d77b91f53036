"""What a forked process may do with a store that its parent has opened."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstore import EventStore, StoreUnavailable, fork, open_store
from tests.eventstore.backends.postgresql import EVENTS, Ticked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")


def in_a_forked_child(work: Callable[[], str]) -> str:
    """What the work returns, done in a child that leaves without tidying up after the parent."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'log.db'}"
    return found if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def refused_by(store: EventStore) -> str:
    """The errors of an append, a read and a subscription."""
    found = []
    for ask in (lambda: store.append("a-1", [Ticked(2)]), store.head, store.listen):
        try:
            ask()
        except StoreUnavailable as error:
            found.append(str(error))
    return "\n".join(found)


def test_the_childs_use_of_the_parents_store_is_refused_and_the_parent_goes_on(url: str) -> None:
    with open_store(url, events=EVENTS, migrate=True) as store:
        store.append("a-1", [Ticked(1)])
        store.listen()

        errors = in_a_forked_child(lambda: refused_by(store)).splitlines()

        assert len(errors) == 3
        assert all("forked after the store was opened" in each for each in errors)
        store.append("a-1", [Ticked(3)])
        assert [each.event for each in store.read_stream("a-1")] == [Ticked(1), Ticked(3)]


def test_the_child_closes_the_store_and_opens_its_own(url: str) -> None:
    def append_anew() -> str:
        store.close()
        with open_store(url, events=EVENTS) as mine:
            return str(mine.append("a-1", [Ticked(2)]).versions)

    with open_store(url, events=EVENTS, migrate=True) as store:
        store.append("a-1", [Ticked(1)])

        answer = in_a_forked_child(append_anew)

        assert answer == "{'a-1': 2}"
        assert store.append("a-1", [Ticked(3)]).versions == {"a-1": 3}


def test_a_fork_in_the_middle_of_another_threads_transaction_leaves_the_child_no_lock_that_nobody_holds(
    tmp_path: Path,
) -> None:
    url, begun, forked = f"sqlite:///{tmp_path / 'log.db'}", threading.Event(), threading.Event()
    with open_store(url, events=EVENTS, migrate=True) as store:
        database = store.backend.sql
        assert database is not None

        def write() -> None:
            with database.transaction() as connection:
                connection.exec_driver_sql("CREATE TABLE mine (number INTEGER)")
                begun.set()
                forked.wait(0.2)

        def append_anew() -> str:
            forked.set()
            store.close()
            with open_store(url, events=EVENTS, busy_seconds=1.0) as mine:
                return str(mine.append("a-1", [Ticked(2)]).versions)

        writer = threading.Thread(target=write)
        writer.start()
        begun.wait()

        answer = in_a_forked_child(append_anew)

        writer.join()
        assert answer == "{'a-1': 1}"


def test_a_fork_within_a_transaction_waits_for_it_no_longer_than_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork, "FORK_SECONDS", 0.01)
    with open_store(f"sqlite:///{tmp_path / 'log.db'}", migrate=True) as store:
        database = store.backend.sql
        assert database is not None
        with database.transaction():
            assert in_a_forked_child(lambda: "done") == "done"
        with database.transaction():
            pass


def test_the_tables_beside_the_log_are_refused_too_also_where_somebody_is_writing_there(url: str) -> None:
    with open_store(url, migrate=True) as store:
        database = store.backend.sql
        assert database is not None

        def ask() -> str:
            found = []
            for enter in (database.reading, database.transaction, database.durable):
                with pytest.raises(StoreUnavailable) as caught, enter():
                    pass
                found.append(str(caught.value))
            return "\n".join(found)

        assert in_a_forked_child(ask).count("forked after the store was opened") == 3
        with database.transaction():
            pass
