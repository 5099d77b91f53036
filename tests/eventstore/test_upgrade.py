"""A log that an earlier release has made is brought to the newest tables, with all that is in it."""

from typing import Any

import pytest

from eventstore import Event, EventStore, NewEvent, open_store
from eventstore.causation import effects
from eventstore.migration import load_migrations
from eventstore.opening import open_backend

OLDER = [
    (dialect, version)
    for dialect in ("sqlite", "postgresql")
    for version in range(1, len(load_migrations("eventstore", f"eventstore.backends.{dialect}.migrations")))
]


class Moved(Event):
    city: str


@pytest.fixture
def url(request: pytest.FixtureRequest, dialect: str) -> str:
    found: str = request.getfixturevalue("sqlite_url" if dialect == "sqlite" else "postgres_url")
    return found


def made_by(url: str, version: int) -> EventStore:
    """A log with the tables as they were after so many migrations."""
    backend: Any = open_backend(url)
    backend._migrator._migrations = backend._migrator._migrations[:version]
    backend.migrate()
    return EventStore(backend, events=Moved)


@pytest.mark.parametrize(("dialect", "version"), OLDER)
def test_its_events_and_their_effects_are_found_and_it_goes_on(url: str, version: int) -> None:
    with made_by(url, version) as old:
        # two at once: a lone event takes a function that older tables do not have
        first, _ = old.append("person-ada", [NewEvent(Moved("Rome"), tags=["city:Rome"]), Moved("Pisa")]).event_ids
        old.append("person-bob", [NewEvent(Moved("Oslo"), causation_id=first)])
        before = list(old.read_log())

    with open_store(url, events=Moved, migrate=True) as store:
        assert store.backend.pending_migrations() == []
        assert list(store.read_log()) == before
        assert list(store.read_log(tags=["city:Rome"])) == before[:1]
        assert [each.recorded for each in effects(store, first)] == [before[0], before[2]]
        assert store.append("person-ada", [Moved("Bath")], expected=2).position == 4
