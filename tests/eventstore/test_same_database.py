"""A caller's transaction must be in the database of the tables; by which name that is reached does not matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from eventstore import Event, EventStore, InvalidInput, open_store, same_database
from tests.services.postgresql import Postgres


class Happened(Event):
    pass


@contextmanager
def begun(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def opened(url: str) -> EventStore:
    return open_store(url, events=[Happened], migrate=True)


def test_a_transaction_in_another_file_is_refused(tmp_path: Path) -> None:
    own, other = (f"sqlite:///{tmp_path}/{name}.db" for name in ("own", "other"))
    with opened(own) as store, opened(other):
        with (
            begun(other) as connection,
            pytest.raises(InvalidInput, match=r"expected one to SQLite own\.db.*got one to .*other"),
        ):
            store.append("a-1", [Happened()], connection=connection)
        with begun("sqlite://") as connection, pytest.raises(InvalidInput, match="got one to sqlite://;"):
            store.append("a-1", [Happened()], connection=connection)

        assert store.head() == 0


def test_a_file_has_many_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    with opened(f"sqlite:///{tmp_path}/own.db") as store:
        (tmp_path / "symbolic.db").symlink_to("own.db")
        for name in ("../own.db", str(tmp_path / "symbolic.db")):
            with begun(f"sqlite:///{name}") as connection:
                store.append("a-1", [Happened()], connection=connection)

        assert store.head() == 2


@pytest.mark.postgresql
def test_a_database_has_many_names_and_another_one_of_the_server_is_refused(
    postgres_server: Postgres, postgres_url: str
) -> None:
    other = postgres_server.create_database()
    with opened(postgres_url) as store:
        for url in (postgres_url, postgres_url.replace("127.0.0.1", "localhost")):
            with begun(url) as connection:
                store.append("a-1", [Happened()], connection=connection)
        for url in (other, "sqlite://"):
            with begun(url) as connection, pytest.raises(InvalidInput, match="expected one to PostgreSQL"):
                store.append("a-1", [Happened()], connection=connection)

        assert len(list(store.read_stream("a-1"))) == 2
    postgres_server.drop_database(other)


@pytest.mark.postgresql
def test_a_server_that_was_started_again_is_asked_again(postgres_url: str) -> None:
    with opened(postgres_url) as store, begun(postgres_url) as connection:
        same_database._told[connection.engine] = ("this", "long ago")
        store.append("a-1", [Happened()], connection=connection)
