"""What the guarantees say of the database itself: it refuses to change or delete what is stored, whoever asks."""

import sqlite3
from pathlib import Path

import psycopg
import pytest

from eventstore import open_store
from eventstore.testing.contract.vocabulary import EVENTS, UsernameClaimed

STATEMENTS = [
    "UPDATE eventfold_events SET payload = '{}'",
    "DELETE FROM eventfold_events",
    "UPDATE eventfold_event_tags SET tag = 'x:y'",
    "DELETE FROM eventfold_event_tags",
]
ON_POSTGRESQL = [*STATEMENTS, "TRUNCATE eventfold_events", "TRUNCATE eventfold_event_tags"]
TAGGED = UsernameClaimed("ada")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_sqlite_refuses_to_change_the_log(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "log.db"
    with open_store(f"sqlite:///{path}", events=EVENTS) as store:
        store.append("user-1", [TAGGED])
        connection = sqlite3.connect(path)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        connection.close()
        assert [each.event for each in store.read_log(tags=["username:ada"])] == [TAGGED]


@pytest.mark.parametrize("statement", ON_POSTGRESQL)
def test_postgresql_refuses_to_change_the_log(postgres_url: str, statement: str) -> None:
    with open_store(postgres_url, events=EVENTS, migrate=True) as store:
        store.append("user-1", [TAGGED])
        with (
            psycopg.connect(postgres_url.replace("+psycopg", "")) as connection,
            pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="append-only"),
        ):
            connection.execute(statement)
        assert [each.event for each in store.read_log(tags=["username:ada"])] == [TAGGED]
