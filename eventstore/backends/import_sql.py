"""Writes recorded events into a relational log as they are, with their positions: for copies of another log."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, text

from eventstore.backend import Row
from eventstore.backends.sqlite.attached import attached, carry, page_end
from eventstore.backends.sqlite.bulk import insert_rows, rare_checkpoints
from eventstore.log_import import CopyProgress, check_alone, check_untouched
from eventstore.sql_database import SqlDatabase

if TYPE_CHECKING:
    import psycopg


class SqlImport:
    """A log as the target of a copy.

    Args:
        database: the log's; its transactions need not wait for the disk, since a copy can be run again.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._name = database.qualified(database.prefix)

    def progress(self) -> CopyProgress | None:
        """How far the copy has come; None where none has begun."""
        with self._database.reading() as connection:
            return self._progress(connection)

    def _progress(self, connection: Connection) -> CopyProgress | None:
        sql = f"""
            SELECT transform, source_position, source_event_id, target_position, events_read, events_written
            FROM {self._name}copy"""
        found = connection.execute(text(sql)).one_or_none()
        return None if found is None else CopyProgress(*found)

    def head(self) -> int:
        """The last position in the table."""
        with self._database.reading() as connection:
            return self._head(connection)

    def _head(self, connection: Connection) -> int:
        found: int = connection.execute(text(f"SELECT coalesce(max(position), 0) FROM {self._name}events")).scalar_one()
        return found

    def write(
        self, rows: Sequence[Row], positions: Sequence[tuple[int, int]], before: CopyProgress, progress: CopyProgress
    ) -> None:
        """Stores rows and how far the copy has come with them, in one transaction.

        Raises:
            InvalidInput: somebody else has written to the log meanwhile, or has gone on with the copy from where it was before.
        """
        around = rare_checkpoints if self._database.dialect == "sqlite" else nullcontext
        with self._page(before, around) as connection:
            self._insert(connection, rows, positions)
            self._note(connection, progress)
        self._move_sequence(progress.target_position)

    def carries(self, source: SqlDatabase) -> bool:
        """Whether `carry` can be used: where both are SQLite files."""
        return source.dialect == self._database.dialect == "sqlite"

    def carry(self, source: SqlDatabase, before: CopyProgress, up_to: int, limit: int) -> CopyProgress:
        """Stores the source's next events as they are, without reading them here; how far the copy has come then.

        Raises:
            InvalidInput: somebody else has written to the log meanwhile, or has gone on with the copy from where it was before.
        """
        with self._page(before, partial(attached, source)) as connection:
            page = page_end(connection, source.prefix, before.source_position, up_to, limit)
            if page is None:
                return before
            events, last, event_id = page
            carry(connection, self._database.prefix, source.prefix, before.source_position, last)
            read, written = before.events_read + events, before.events_written + events
            progress = CopyProgress(before.transform, last, event_id, last, read, written)
            self._note(connection, progress)
        return progress

    @contextmanager
    def _page(
        self, before: CopyProgress, around: Callable[[Connection], AbstractContextManager[object]]
    ) -> Iterator[Connection]:
        """A transaction in which nobody else writes, in a log that is as the copy has left it."""
        with self._database.transaction(around) as connection:
            if self._database.dialect == "postgresql":
                connection.execute(text(f"LOCK TABLE {self._name}events IN SHARE ROW EXCLUSIVE MODE"))
            found = self._progress(connection)
            check_alone(found, before, self._database.description)
            check_untouched(self._head(connection), found, self._database.description)
            yield connection

    def _note(self, connection: Connection, progress: CopyProgress) -> None:
        values = {field: getattr(progress, field) for field in progress.__struct_fields__}
        connection.execute(text(f"DELETE FROM {self._name}copy"))
        connection.execute(
            text(
                f"INSERT INTO {self._name}copy VALUES (1, :transform, :source_position, :source_event_id, "
                ":target_position, :events_read, :events_written)"
            ),
            values,
        )

    def _insert(self, connection: Connection, rows: Sequence[Row], positions: Sequence[tuple[int, int]]) -> None:
        raw: Any = connection.connection.driver_connection
        tags = [(tag, row[4], row[0]) for row in rows if row[11] is not None for tag in msgspec.json.decode(row[11])]
        if isinstance(raw, sqlite3.Connection):
            insert_rows(raw, f"{self._name}events", rows)
            raw.executemany(f"INSERT INTO {self._name}event_tags VALUES (?, ?, ?)", tags)
            raw.executemany(f"INSERT INTO {self._name}copy_positions VALUES (?, ?)", positions)
            return
        for table, values in (("events", rows), ("event_tags", tags), ("copy_positions", positions)):
            if values:
                _copy(raw, f"{self._name}{table}", values)

    def target_position(self, source_position: int) -> int | None:
        """Where a position of the source went; None where positions were not counted anew."""
        sql = f"""
            SELECT target_position FROM {self._name}copy_positions
            WHERE source_position <= :position ORDER BY source_position DESC LIMIT 1"""
        with self._database.reading() as connection:
            return connection.execute(text(sql), {"position": source_position}).scalar_one_or_none()

    def _move_sequence(self, position: int) -> None:
        """After the commit, so that no reader takes the positions for complete before their events are visible."""
        if self._database.dialect == "postgresql" and position:
            with self._database.transaction() as connection:
                sequence = f"{self._name}positions"
                connection.execute(
                    text(f"SELECT setval('{sequence}', greatest(last_value, :position)) FROM {sequence}"),
                    {"position": position},
                )

    def finish(self, progress: CopyProgress) -> None:
        """Makes sure that everything is on the disk, and that new positions follow those copied."""
        self._move_sequence(progress.target_position)
        with self._database.reading() as connection:
            if self._database.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
                return
        with self._database.transaction() as connection:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            connection.execute(text(f"UPDATE {self._name}copy SET id = 1"))

    def versions(self) -> dict[str, int]:
        """The version of every stream."""
        with self._database.reading() as connection:
            rows = connection.execute(text(f"SELECT stream, max(version) FROM {self._name}events GROUP BY stream"))
            return {str(stream): int(version) for stream, version in rows}


def _copy(raw: "psycopg.Connection[Any]", table: str, rows: Sequence[Sequence[Any]]) -> None:
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
