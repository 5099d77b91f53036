"""What a forked process may do with a store that its parent has opened."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstore import EventStore, StoreUnavailable, open_store
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
