"""Idempotency keys in the log's SQL database."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from commands.idempotency.claim import Kept, read_outcome
from eventstore.companion import Insert
from eventstore.sql_database import SqlDatabase

_COLUMNS = "scope, key, command, fingerprint, outcome, kept_at, expires_at"
_EXPRESSIONS = {"sqlite": "?, ?, ?, ?, ?, ?, ?", "postgresql": "?, ?, ?, ?, ?, ?::bigint, ?::bigint"}


class SqlKeys:
    """See `commands.idempotency.ledger.KeyTable`.

    A row that has expired is overwritten by the next command under its key. Where another transaction is about to write the same
    key, the insert waits for its end: on PostgreSQL at the unique index, on SQLite for the one turn to write.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        table = database.qualified(f"{database.prefix}idempotency_keys")
        self._into, self._expressions = f"{table} ({_COLUMNS})", _EXPRESSIONS[database.dialect]
        mark = "?" if database.dialect == "sqlite" else "%s"
        self._sql = {name: sql.replace("?", mark) for name, sql in _statements(table).items()}

    def find(self, scope: str, key: str, now_us: int) -> Kept | None:
        """What is kept under a key, and has not expired."""
        with self._database.reading() as connection:
            rows = connection.exec_driver_sql(self._sql["find"], (scope, key, now_us)).all()
        return _kept(rows[0]) if rows else None

    def insert(self, connection: Connection | None, rows: Sequence[Kept]) -> int:
        """Keeps keys that are new or have expired."""
        if connection is not None:
            return self._insert(connection, rows)
        with self._database.durable() as own:
            return self._insert(own, rows)

    def _insert(self, connection: Connection, rows: Sequence[Kept]) -> int:
        cursor = connection.connection.cursor()
        cursor.executemany(self._sql["insert"], [_values(each) for each in rows])
        return cursor.rowcount

    def insert_of(self, row: Kept) -> Insert | None:
        """The row to be inserted for a key that is new."""
        return Insert(self._into, self._expressions, _values(row))

    def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        """Forgets keys."""
        with self._database.durable() as connection:
            for each in keys:
                connection.exec_driver_sql(self._sql["remove"], each)

    def page(self, now_us: int, limit: int) -> list[Kept]:
        """Those that have not expired, the newest first."""
        with self._database.reading() as connection:
            return [_kept(row) for row in connection.exec_driver_sql(self._sql["page"], (now_us, limit))]

    def prune(self, now_us: int, limit: int) -> int:
        """Forgets those that have expired."""
        with self._database.transaction() as connection:
            return connection.exec_driver_sql(self._sql["prune"], (now_us, limit)).rowcount


def _values(row: Kept) -> tuple[str, str, str, str, str, int, int]:
    outcome = msgspec.json.encode(row.outcome).decode()
    return row.scope, row.key, row.command, row.fingerprint, outcome, row.kept_us, row.expires_us


def _kept(row: Any) -> Kept:
    scope, key, command, fingerprint, outcome, kept, expires = row
    return Kept(scope, key, command, fingerprint, read_outcome(outcome), kept, expires)


def _statements(table: str) -> dict[str, str]:
    return {
        "find": f"SELECT {_COLUMNS} FROM {table} WHERE scope = ? AND key = ? AND expires_at > ?",
        "insert": f"INSERT INTO {table} AS kept ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, key) "
        "DO UPDATE SET command = excluded.command, fingerprint = excluded.fingerprint, outcome = excluded.outcome, "
        "kept_at = excluded.kept_at, expires_at = excluded.expires_at WHERE kept.expires_at <= excluded.kept_at",
        "page": f"SELECT {_COLUMNS} FROM {table} WHERE expires_at > ? ORDER BY kept_at DESC, scope, key LIMIT ?",
        "remove": f"DELETE FROM {table} WHERE scope = ? AND key = ?",
        "prune": f"DELETE FROM {table} WHERE (scope, key) IN "
        f"(SELECT scope, key FROM {table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
    }
