"""Migrations: applied once, in order, each whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from eventstore import InvalidInput, NotMigrated, SchemaTooNew
from eventstore.backends.sqlite.connection import open_engine
from eventstore.migration import Migration, Migrator, check_prefix, load_migrations, require_migrated

FIRST = Migration("room", 1, "0001_first", "CREATE TABLE first (n);\nINSERT INTO first VALUES (1);\n")
SECOND = Migration("room", 2, "0002_second", "CREATE TABLE second (n);\n")
BROKEN = Migration("room", 2, "0002_broken", "CREATE TABLE half (n);\nINSERT INTO nowhere VALUES (1);\n")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "app.db", busy_seconds=1, synchronous="NORMAL")
    yield engine
    engine.dispose()


def migrator(engine: Engine, *migrations: Migration) -> Migrator:
    return Migrator(engine, migrations, prefix="x_", schema=None, description="SQLite app.db")


def test_what_is_missing_is_applied_in_order_and_once(engine: Engine) -> None:
    assert migrator(engine, FIRST).migrate() == ["room/0001_first"]
    assert migrator(engine, FIRST, SECOND).pending() == ["room/0002_second"]

    assert migrator(engine, FIRST, SECOND).migrate() == ["room/0002_second"]

    assert migrator(engine, FIRST, SECOND).migrate() == []
    assert set(inspect(engine).get_table_names()) == {"first", "second", "x_migrations"}


def test_one_that_fails_leaves_nothing_of_itself_and_keeps_those_before(engine: Engine) -> None:
    with pytest.raises(Exception, match="nowhere"):
        migrator(engine, FIRST, BROKEN).migrate()

    assert set(inspect(engine).get_table_names()) == {"first", "x_migrations"}
    assert migrator(engine, FIRST, SECOND).migrate() == ["room/0002_second"]


def test_rooms_count_for_themselves(engine: Engine) -> None:
    migrator(engine, FIRST, SECOND).migrate()

    assert migrator(engine, Migration("attic", 1, "0001_box", "CREATE TABLE box (n);\n")).migrate() == [
        "attic/0001_box"
    ]


def test_older_code_refuses_what_newer_code_has_migrated(engine: Engine) -> None:
    migrator(engine, FIRST, SECOND).migrate()

    with pytest.raises(
        SchemaTooNew, match=r"SQLite app\.db: the tables of room are at migration 2, and this release knows 1"
    ):
        migrator(engine, FIRST).migrate()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_logs_own_migrations_are_numbered_without_gaps_and_have_no_placeholder_left(dialect: str) -> None:
    package = f"eventstore.backends.{dialect}.migrations"

    found = load_migrations("eventstore", package, prefix="x_", qualifier="")

    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert not any("{prefix}" in each.sql or "{qualifier}" in each.sql for each in found)


def test_a_database_that_lacks_migrations_is_refused_by_their_names() -> None:
    require_migrated([], "SQLite app.db")
    with pytest.raises(NotMigrated, match=r"SQLite app.db: 1 migration is missing \(room/0001_first\); run `eventfold"):
        require_migrated(["room/0001_first"], "SQLite app.db")


@pytest.mark.parametrize("prefix", ["a b", "Upper_", "1st", "x" * 21, "ü_", "a;--", '"'])
def test_a_prefix_that_is_not_safe_in_sql_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput, match="table prefix or schema: expected at most 20 characters of a-z, 0-9 and _"):
        check_prefix(prefix)
