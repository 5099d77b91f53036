"""The log in a SQLite file: one writer at a time, readers never wait."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.pool import PoolProxiedConnection

from eventstore.backend import (
    LogFilter,
    Payload,
    Row,
    StalledAppend,
    StoredType,
    StreamInfo,
    StreamRange,
    WriteRequest,
    Written,
)
from eventstore.backends import log_sql
from eventstore.backends.import_sql import SqlImport
from eventstore.backends.snapshot_sql import SnapshotSql, SqlSnapshots
from eventstore.backends.sqlite import writer
from eventstore.backends.sqlite.connection import database_path, in_transaction, open_engine
from eventstore.backends.sqlite.errors import translate, translated
from eventstore.backends.sqlite.lone import write_lone, write_with_inserts
from eventstore.backends.sqlite.snapshots import begin
from eventstore.backends.sqlite.sql import Sql
from eventstore.backends.sqlite.wake import WakePipes
from eventstore.companion import Companion, accompany, inserts_beside
from eventstore.errors import EventfoldError, StoreError
from eventstore.fork import wait_for
from eventstore.migration import Migrator, load_migrations
from eventstore.snapshot import Beginning, SnapshotKind
from eventstore.sql_database import SqlDatabase


class SqliteBackend:
    """Holds the log in one SQLite file, in WAL mode.

    Args:
        url: `sqlite:///path`.
        prefix: what every table's name begins with.
        busy_seconds: how long an append waits for another process's write lock before `StoreBusy`.
        synchronous: FULL makes every append durable before it returns; NORMAL trades the last ones for speed.
    """

    divides = True

    def __init__(
        self, url: URL, *, prefix: str = "eventfold_", busy_seconds: float = 10.0, synchronous: str = "FULL"
    ) -> None:
        path = database_path(url)
        self.description = f"SQLite {path.name}"
        self.engine = open_engine(path, busy_seconds=busy_seconds, synchronous=synchronous)
        self._sql = Sql(prefix)
        migrations = load_migrations("eventstore", "eventstore.backends.sqlite.migrations", prefix=prefix)
        self._migrator = Migrator(self.engine, migrations, prefix=prefix, schema=None, description=self.description)
        self._pipes = WakePipes(path)
        # within a write transaction, another one waits for the database, and says so
        self._write_lock = threading.RLock()
        wait_for(self._write_lock)
        self.sql = SqlDatabase(
            open_engine(path, busy_seconds=busy_seconds, synchronous="NORMAL"),
            prefix=prefix,
            schema=None,
            description=self.description,
            turn=self._write_lock,
            translated=lambda: translated(self.description),
            broken=lambda connection: not _cursor(connection).connection.in_transaction,
            lasting=self.engine,
        )
        self.snapshots = SqlSnapshots(self.sql, self._begin)
        self.importer = SqlImport(self.sql)
        self._idle: list[PoolProxiedConnection] = []
        self._writer: PoolProxiedConnection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._joined: Connection | None = None  # kept for companions: to make one takes as long as a small append

    def commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Stores all requests in one transaction; each gets its own result or error."""
        with self._write_lock:
            try:
                cursor = self._cursor or self._writer_cursor()
                lone = write_lone(cursor, self._sql, requests)
                if lone is not None:
                    return lone
                return in_transaction(cursor, lambda: writer.write_group(cursor, self._sql, requests)[0])
            except sqlite3.Error as error:
                raise translate(error, self.description) from error

    def commit_with(
        self, requests: Sequence[WriteRequest], companions: Sequence[Companion]
    ) -> list[Written | Exception]:
        """Stores all requests with what companions write; where one of these refuses, by halves until it is found."""
        with self._write_lock, translated(self.description):
            if len(requests) == 1 and (inserts := inserts_beside(companions, requests[0])) is not None:
                cursor = self._cursor or self._writer_cursor()
                found = write_with_inserts(cursor, self._sql, requests[0], inserts)
                if found is not None:
                    return [found]
            if self._joined is None:
                self._joined = self.engine.connect().execution_options(writes=True)
            return self._commit_with(self._joined, requests, companions)

    def _commit_with(
        self, connection: Connection, requests: Sequence[WriteRequest], companions: Sequence[Companion]
    ) -> list[Written | Exception]:
        try:
            with connection.begin():
                outcomes, stored = writer.write_group(_cursor(connection), self._sql, requests)
                accompany(companions, connection, stored)
        except StoreError:
            raise
        except EventfoldError as error:
            if len(requests) == 1:
                return [error]
            half = len(requests) // 2
            parts = requests[:half], requests[half:]
            return [outcome for part in parts for outcome in self._commit_with(connection, part, companions)]
        return outcomes

    @contextmanager
    def excluding(self, _connection: Connection | None, _types: Iterable[str]) -> Iterator[None]:
        """Nobody appends anything while a write transaction is open."""
        yield

    def write_on(self, connection: Connection, request: WriteRequest, companions: Sequence[Companion] = ()) -> Written:
        """Stores a request in the caller's open transaction."""
        raw = connection.connection.driver_connection
        if not isinstance(raw, sqlite3.Connection):
            raise TypeError(f"expected a connection to {self.description}, got one to {connection.engine.name}")
        with translated(self.description):
            if not raw.in_transaction:
                raw.execute("BEGIN IMMEDIATE")
            cursor = raw.cursor()
            cursor.execute("SAVEPOINT eventfold_append")
            try:
                written, stored = writer.write(cursor, self._sql, request)
                accompany(companions, connection, stored)
            except BaseException:
                cursor.execute("ROLLBACK TO eventfold_append")
                raise
            else:
                return written
            finally:
                cursor.execute("RELEASE eventfold_append")

    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        """Up to `limit` events of one stream."""
        return self._rows(*log_sql.stream_page(self._sql.events, stream, part, limit))

    def stream_payloads(self, stream: str, part: StreamRange, limit: int) -> list[Payload]:
        """What a fold needs of up to `limit` events of one stream."""
        return self._rows(*log_sql.stream_payloads(self._sql.events, stream, part, limit))

    def stream_version(self, stream: str) -> int:
        """The stream's version, 0 where it has no events."""
        return self._number(self._sql.stream_version, [stream])

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` matching events between two positions."""
        with self._reader() as cursor:
            return self._page(cursor, wanted, (after, up_to), limit, backwards=backwards)

    def log_page_on(
        self, connection: Connection | None, wanted: LogFilter, after: int, up_to: int, limit: int
    ) -> list[Row]:
        """The same, as the transaction of a connection sees it."""
        return self._page(_cursor(connection), wanted, (after, up_to), limit)

    def _page(
        self,
        cursor: sqlite3.Cursor,
        wanted: LogFilter,
        between: tuple[int, int],
        limit: int,
        *,
        backwards: bool = False,
    ) -> list[Row]:
        expanded = self._sql.expand_filter(cursor, wanted)
        statement = log_sql.log_page(self._sql.events, self._sql.tags, expanded, between, limit, backwards=backwards)
        return cursor.execute(*statement).fetchall()

    def horizon(self) -> int:
        """The last position: SQLite commits one writer after the other, so nothing below it is still to come."""
        return self._number(self._sql.head, [])

    def first_recorded_after(self, instant_us: int) -> int:
        """The lowest position recorded after the instant, by bisection and a look around.

        `recorded_at` never falls along a log of its own; in a copy of one in PostgreSQL it may, by a moment.
        """
        with self._reader() as cursor:
            low, high = 1, self.horizon() + 1
            while low < high:
                middle = (low + high) // 2
                found = cursor.execute(self._sql.recorded_from, (middle,)).fetchone()
                if found is None or found[1] > instant_us:
                    high = middle
                else:
                    low = middle + 1
            near = cursor.execute(self._sql.recorded_near, (low, low, instant_us)).fetchone()[0]
            return low if near is None else int(near)

    def event_row(self, event_id: str) -> Row | None:
        """The event with this id."""
        rows = self._rows(self._sql.event_by_id, [event_id])
        return rows[0] if rows else None

    def caused_rows(self, causation_ids: Sequence[str]) -> list[Row]:
        """The events that name one of these as their cause."""
        return self._rows(self._sql.caused_by, [json.dumps(causation_ids)])

    def streams_page(self, after: str, category: str | None, limit: int) -> list[StreamInfo]:
        """Up to `limit` streams in the order of their names."""
        rows = self._rows(self._sql.streams, [after, category, category, category, category, limit])
        return [StreamInfo(*row) for row in rows]

    def count(self) -> int:
        """How many events the log holds: a copy of another log may have gaps."""
        return self._number(self._sql.count, [])

    def stored_types(self) -> list[StoredType]:
        """The types and schema versions that the log holds, by looking through all of it."""
        return [StoredType(*row) for row in self._rows(log_sql.stored_types(self._sql.events), [])]

    def stalled(self) -> list[StalledAppend]:
        """None: an append in flight holds the write lock, and readers do not wait for it."""
        return []

    def migrate(self) -> list[str]:
        """Brings the tables to the newest version."""
        with self._write_lock, translated(self.description):
            return self._migrator.migrate()

    def pending_migrations(self) -> list[str]:
        """The migrations that `migrate` would apply."""
        with translated(self.description):
            return self._migrator.pending()

    def announce(self) -> None:
        """Wakes subscriptions of other processes."""
        self._pipes.announce()

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` at every announcement of another process."""
        return self._pipes.listen(wake)

    def close(self) -> None:
        """Closes every connection."""
        with self._write_lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = self._cursor = None
            if self._joined is not None:
                self._joined.close()
                self._joined = None
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()
        self.sql.engine.dispose()

    def _writer_cursor(self) -> sqlite3.Cursor:
        self._cursor = self._writer_connection().cursor()
        return self._cursor

    def _writer_connection(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self.engine.raw_connection()
        connection: sqlite3.Connection = self._writer.driver_connection  # type: ignore[assignment]  # SQLite's engine gives SQLite's connection
        return connection

    def _begin(
        self, sql: SnapshotSql, stream: str, kind: SnapshotKind, part: StreamRange, limit: int
    ) -> Beginning | None:
        with self._reader() as cursor:
            return begin(cursor, sql, stream, kind, part, limit)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Cursor]:
        with translated(self.description):
            try:
                connection = self._idle.pop()  # no word to the pool, which would take longer than a short read
            except IndexError:
                connection = self.engine.raw_connection()
            try:
                yield connection.cursor()  # type: ignore[misc]  # SQLite's own cursor; a new one, so that none stays open
            finally:
                if self._idle:
                    connection.close()
                else:
                    self._idle.append(connection)

    def _rows(self, sql: str, params: list[object]) -> list[Any]:
        with self._reader() as cursor:
            return cursor.execute(sql, params).fetchall()

    def _number(self, sql: str, params: list[object]) -> int:
        with self._reader() as cursor:
            return int(cursor.execute(sql, params).fetchone()[0])


def _cursor(connection: Connection | None) -> sqlite3.Cursor:
    """SQLite's own cursor over a connection."""
    assert connection is not None  # noqa: S101 - for the type checker; only a log in memory has none
    cursor: sqlite3.Cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]  # it is open
    return cursor
