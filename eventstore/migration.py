"""Numbered, forward-only migrations: `0001_log.sql`, `0002_...`, one folder for each room and database."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect

from eventstore.errors import InvalidInput, NotMigrated, SchemaTooNew

MAX_PREFIX_LENGTH = 20


class Migration(NamedTuple):
    """One step. `number` counts from 1 within its room."""

    room: str
    number: int
    name: str
    sql: str


def load_migrations(room: str, package: str, **names: str) -> list[Migration]:
    """The migrations in a package's folder, with `{prefix}` and other names filled in.

    Args:
        room: whose tables they make: "eventstore", "projections", ...
        package: where the .sql files lie.
        names: what the placeholders stand for.
    """
    found = []
    for entry in sorted(files(package).iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".sql"):
            sql = entry.read_text(encoding="utf-8")
            for key, value in names.items():
                sql = sql.replace("{" + key + "}", value)
            found.append(Migration(room, int(entry.name[:4]), entry.name.removesuffix(".sql"), sql))
    return found


class Migrator:
    """Applies migrations to one database, each in a transaction of its own.

    Args:
        engine: the database.
        migrations: those of one room, for this database.
        prefix: of the table that remembers what was applied.
        schema: the PostgreSQL schema of that table; made where it does not exist.
        description: the database, for errors.
    """

    def __init__(
        self,
        engine: Engine,
        migrations: Sequence[Migration],
        *,
        prefix: str,
        schema: str | None,
        description: str,
    ) -> None:
        self._engine = engine
        self._migrations = migrations
        self._schema = schema
        self._name = f"{prefix}migrations"
        self._table = f'"{schema}".{self._name}' if schema else self._name
        self._description = description

    def pending(self) -> list[str]:
        """The names of the migrations that the database lacks.

        Raises:
            SchemaTooNew: a newer release has migrated it.
        """
        return [f"{each.room}/{each.name}" for each in self._pending()]

    def migrate(self) -> list[str]:
        """Applies what is missing and returns the names; waits for another process that does the same."""
        return [f"{each.room}/{each.name}" for each in self._pending() if self._apply(each)]

    def _pending(self) -> list[Migration]:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(self._name, schema=self._schema):
                return list(self._migrations)
            return pending(self._migrations, self._applied(connection), self._description)

    def _applied(self, connection: Connection) -> list[tuple[str, int]]:
        rows = connection.exec_driver_sql(f"SELECT room, number FROM {self._table}")
        return [(str(room), int(number)) for room, number in rows]

    def _apply(self, migration: Migration) -> bool:
        with self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                self._lock(connection)
                if (migration.room, migration.number) in self._applied(connection):
                    return False
                for statement in _statements(migration.sql, connection.dialect.name):
                    cursor = connection.connection.cursor()
                    cursor.execute(statement)
                    cursor.close()
                now = datetime.now(UTC).isoformat(timespec="seconds")
                values = f"('{migration.room}', {migration.number}, '{migration.name}', '{now}')"
                connection.exec_driver_sql(f"INSERT INTO {self._table} VALUES {values}")
                return True

    def _lock(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")  # a long migration is worth waiting for
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('eventfold migrations'))")
            if self._schema:
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {self._table} (room TEXT NOT NULL, number INTEGER NOT NULL, "
            "name TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (room, number))"
        )


def _statements(script: str, dialect: str) -> Iterator[str]:
    """What the driver takes at once: the whole script, or on SQLite one statement after the other."""
    if dialect != "sqlite":
        yield script
        return
    collected = ""
    for line in script.splitlines(keepends=True):
        collected += line
        if sqlite3.complete_statement(collected):
            yield collected.strip()
            collected = ""


def pending(migrations: Sequence[Migration], applied: Iterable[tuple[str, int]], description: str) -> list[Migration]:
    """The migrations that a database lacks.

    Args:
        migrations: all that this release knows, of one or several rooms.
        applied: (room, number) of those that the database has.
        description: the database, for the error.

    Raises:
        SchemaTooNew: the database has one of these rooms at a higher number than this release knows.
    """
    done = set(applied)
    for room in {each.room for each in migrations}:
        known = max(each.number for each in migrations if each.room == room)
        newest = max((number for name, number in done if name == room), default=0)
        if newest > known:
            raise SchemaTooNew(
                f"{description}: the tables of {room} are at migration {newest}, and this release knows {known}; "
                "upgrade eventfold to the release that migrated it"
            )
    return [each for each in migrations if (each.room, each.number) not in done]


def require_migrated(names: Sequence[str], description: str) -> None:
    """Refuses to work with a database that lacks migrations.

    Raises:
        NotMigrated: `names` is not empty.
    """
    if names:
        missing = "1 migration is" if len(names) == 1 else f"{len(names)} migrations are"
        raise NotMigrated(
            f"{description}: {missing} missing ({', '.join(names)}); run `eventfold migrate`, or open "
            "it with migrate=True"
        )


def check_prefix(prefix: str) -> str:
    """Returns a table prefix or schema name that is safe to stand in SQL.

    Raises:
        InvalidInput: it has other characters than a-z, 0-9 and _, or more than 20 of them.
    """
    plain = prefix.isascii() and prefix.replace("_", "a").isalnum() and prefix == prefix.lower()
    if prefix and (not plain or prefix[0].isdigit() or len(prefix) > MAX_PREFIX_LENGTH):
        raise InvalidInput(
            f"table prefix or schema: expected at most {MAX_PREFIX_LENGTH} characters of a-z, 0-9 and _, not beginning "
            f"with a digit, got {prefix!r}"
        )
    return prefix
