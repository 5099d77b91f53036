"""The floors on SQLite."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from benchmarks.domain import AccountEvent, Balance, fold_balance, tags_of
from benchmarks.raw import COLUMNS, Guarded, NewRow, new_row
from eventfold import Event

INSERT = "INSERT INTO eventfold_events VALUES (NULL, ?, ?, ?, ?, 1, ?, NULL, NULL, NULL, NULL, ?, ?)"
INSERT_TAG = "INSERT INTO eventfold_event_tags VALUES (?, ?, ?)"
TAGGED = "SELECT 1 FROM eventfold_event_tags a WHERE a.tag = ? AND a.type = ? AND a.position > ?"
BOTH = f"""{TAGGED} AND EXISTS (SELECT 1 FROM eventfold_event_tags b
           WHERE b.tag = ? AND b.type = a.type AND b.position = a.position)"""


class RawSqlite:
    def __init__(self, path: str, *, durable: bool = True) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self.connection.execute("PRAGMA cache_size = -16384")
        self._cursor = self.connection.cursor()
        self._lock = threading.Lock()

    def append_one(self, stream: str, version: int, event: Event) -> None:
        self._cursor.execute(INSERT, new_row(stream, version, event))

    def append_rows(self, rows: Sequence[NewRow]) -> None:
        cursor = self._cursor
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(INSERT, rows)
        cursor.execute("COMMIT")

    def append_whole(self, rows: Sequence[Any]) -> None:
        cursor = self._cursor
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(f"INSERT INTO eventfold_events VALUES ({', '.join('?' * 13)})", rows)
        cursor.execute("COMMIT")

    def append_guarded(self, append: Guarded) -> int:
        row, tags, (first, second), together, after = append
        with self._lock:
            cursor = self._cursor
            cursor.execute("BEGIN IMMEDIATE")
            if together:
                found = cursor.execute(BOTH, (first, row.type, after, second)).fetchone()
            else:
                either = f"{TAGGED} UNION ALL {TAGGED} LIMIT 1"
                found = cursor.execute(either, (first, row.type, after, second, row.type, after)).fetchone()
            assert found is None, "the condition failed"
            cursor.execute(INSERT, row)
            position = cursor.lastrowid or 0
            cursor.executemany(INSERT_TAG, [(tag, row.type, position) for tag in tags])
            cursor.execute("COMMIT")
        return position

    def make_guarded(self) -> None:
        pass

    def page(self, after: int, limit: int) -> list[Any]:
        sql = f"SELECT {COLUMNS} FROM eventfold_events WHERE position > ? ORDER BY position LIMIT ?"
        return self._cursor.execute(sql, (after, limit)).fetchall()

    def payloads(self, stream: str, after: int = 0) -> list[tuple[str, str]]:
        sql = "SELECT type, payload FROM eventfold_events WHERE stream = ? AND version > ? ORDER BY version"
        return self._cursor.execute(sql, (stream, after)).fetchall()

    def snapshot(self, stream: str) -> tuple[int, str]:
        sql = "SELECT version, state FROM eventfold_snapshots WHERE stream = ? ORDER BY version DESC LIMIT 1"
        found: tuple[int, str] = self._cursor.execute(sql, (stream,)).fetchone()
        return found

    def seed(self, events: Iterable[tuple[str, int, Event]]) -> None:
        left, position, index = iter(events), 0, []
        self._cursor.execute("BEGIN IMMEDIATE")
        while part := list(islice(left, 10_000)):
            self._cursor.executemany(INSERT, [new_row(*each) for each in part])
            for _, _, event in part:
                position += 1
                index += [(tag, type(event).__name__, position) for tag in tags_of(event)]
        self._cursor.executemany(INSERT_TAG, sorted(index))
        self._cursor.execute("COMMIT")

    def make_balances(self, like: str) -> None:
        (sql,) = self._cursor.execute("SELECT sql FROM sqlite_master WHERE name = ?", (like,)).fetchone()
        self._cursor.executescript(
            f"DROP TABLE IF EXISTS floor_balances; {sql.replace(like, 'floor_balances')};"
            "DROP TABLE IF EXISTS floor_checkpoint; CREATE TABLE floor_checkpoint (position INTEGER);"
            "INSERT INTO floor_checkpoint VALUES (0);"
        )

    def balances(self, keys: Sequence[str]) -> dict[str, Balance]:
        sql = "SELECT * FROM floor_balances WHERE account_id IN (SELECT value FROM json_each(?))"
        return {row[0]: Balance(*row) for row in self._cursor.execute(sql, (json.dumps(keys),))}

    def store_balances(self, rows: Sequence[Balance], position: int) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")
        self._put_balances(rows, position)
        self._cursor.execute("COMMIT")

    def append_folded(self, stream: str, version: int, event: AccountEvent) -> None:
        cursor, key = self._cursor, stream[8:]
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(INSERT, new_row(stream, version, event))
        position = cursor.lastrowid or 0
        found = cursor.execute("SELECT * FROM floor_balances WHERE account_id = ?", (key,)).fetchone()
        self._put_balances([fold_balance(Balance(*found) if found else None, key, event)], position)
        cursor.execute("COMMIT")

    def _put_balances(self, rows: Sequence[Balance], position: int) -> None:
        cursor = self._cursor
        cursor.executemany(
            "INSERT INTO floor_balances VALUES (?, ?, ?) ON CONFLICT (account_id) DO UPDATE "
            "SET amount = excluded.amount, movements = excluded.movements",
            [msgspec.structs.astuple(row) for row in rows],
        )
        cursor.execute("UPDATE floor_checkpoint SET position = ?", (position,))

    def all(self, table: str) -> list[Any]:
        return self._cursor.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    def close(self) -> None:
        self.connection.close()
