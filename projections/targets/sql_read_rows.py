"""The rows that a composite projection looks up, kept beside its generations: one table for all, each row as JSON text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from eventstore.sql_database import SqlDatabase
from projections.parked import key_text
from projections.projection import Projection


class SqlReadRows:
    """What one projection in one target looks up.

    Args:
        database: the log's.
        projection: the projection's name.
        target: the target's name.
    """

    def __init__(self, database: SqlDatabase, projection: str, target: str) -> None:
        self._mine = (projection, target)
        self._is_sqlite = database.dialect == "sqlite"
        table = database.qualified(f"{database.prefix}read_rows")
        mark = "?" if self._is_sqlite else "%s"
        generation = f"projection = {mark} AND target = {mark} AND number = {mark}"
        keys = "IN (SELECT value FROM json_each(?))" if self._is_sqlite else "= ANY(%s::text[])"
        chosen = f"FROM {table} WHERE {generation} AND source = {mark} AND key {keys}"
        given = "json_each(?)" if self._is_sqlite else "json_array_elements(%s::json)"
        pair = (
            "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
            if self._is_sqlite
            else "given.value ->> 0, given.value ->> 1"
        )
        self._select = f"SELECT key, content {chosen}"
        self._delete = f"DELETE {chosen}"
        self._insert = (
            f"INSERT INTO {table} (projection, target, number, source, key, content) "
            f"SELECT {mark}, {mark}, {'?' if self._is_sqlite else '%s::bigint'}, {mark}, {pair} FROM {given} AS given "
            "WHERE true ON CONFLICT (projection, target, number, source, key) DO UPDATE SET content = excluded.content"
        )
        self._remove = f"DELETE FROM {table} WHERE {generation}"

    def fetch(
        self, connection: Connection, number: int, source: Projection[Any], keys: Sequence[Any]
    ) -> dict[Any, Any]:
        """The rows of a source that exist under these keys."""
        texts = {key_text(key): key for key in keys}
        cursor = connection.connection.cursor()
        cursor.execute(self._select, (*self._mine, number, source.name, self._keys(texts)))
        decode = msgspec.json.Decoder(source.model.cls).decode
        return {texts[text]: decode(row) for text, row in cursor.fetchall()}

    def write(self, connection: Connection, number: int, read: Mapping[str, Mapping[Any, Any]]) -> None:
        """Stores rows by source and key; deletes where the row is None."""
        cursor = connection.connection.cursor()
        for source, rows in read.items():
            place = (*self._mine, number, source)
            texts = {key_text(key): row for key, row in rows.items()}
            kept = [(text, msgspec.json.encode(row).decode()) for text, row in texts.items() if row is not None]
            if gone := [text for text, row in texts.items() if row is None]:
                cursor.execute(self._delete, (*place, self._keys(gone)))
            if kept:
                cursor.execute(self._insert, (*place, json.dumps(kept)))

    def remove(self, connection: Connection, number: int) -> None:
        """Forgets what belongs to a generation."""
        connection.connection.cursor().execute(self._remove, (*self._mine, number))

    def _keys(self, texts: Any) -> Any:
        return json.dumps(list(texts)) if self._is_sqlite else list(texts)
