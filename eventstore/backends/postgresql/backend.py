"""The log in PostgreSQL: any number of writers and readers, in any number of processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.engine import URL

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
from eventstore.backends.postgresql.arguments import SEPARATOR
from eventstore.backends.postgresql.connection import IDLE, Cursor, Lanes, broken, describe, open_engine, pipelined
from eventstore.backends.postgresql.errors import Translator
from eventstore.backends.postgresql.guard import Name, locks
from eventstore.backends.postgresql.lone import lone_statement, with_inserts
from eventstore.backends.postgresql.snapshots import begin
from eventstore.backends.postgresql.sql import Sql, numbered
from eventstore.backends.postgresql.wake import Announcer, Listener
from eventstore.backends.postgresql.writer import LOST_RACE, Writer
from eventstore.backends.snapshot_sql import SqlSnapshots
from eventstore.companion import Companion, accompany, inserts_beside, types_alone
from eventstore.errors import Unsupported
from eventstore.migration import Migrator, load_migrations
from eventstore.sql_database import SqlDatabase

SAVEPOINT = "eventfold_append"


class PostgresBackend:
    """Holds the log in one PostgreSQL database.

    Args:
        url: `postgresql://user:password@host/database`.
        prefix: what every table's name begins with.
        schema: the schema that holds the tables; by default the first of the search path.
        pool_size: how many connections are kept open.
        busy_seconds: how long an append waits for somebody else's lock before `StoreBusy`.
    """

    divides = False

    def __init__(
        self,
        url: URL,
        *,
        prefix: str = "eventfold_",
        schema: str | None = None,
        pool_size: int = 8,
        busy_seconds: float = 10.0,
    ) -> None:
        self.description = describe(url)
        self.engine = open_engine(url, pool_size=pool_size, busy_seconds=busy_seconds)
        self._busy_seconds = busy_seconds
        self._sql = Sql(prefix, schema)
        self._translated = Translator(url, self.description)
        self._lanes = Lanes(self.engine)
        self.sql = SqlDatabase(
            self.engine,
            prefix=prefix,
            schema=schema,
            description=self.description,
            translated=lambda: self._translated,
            pipelined=pipelined,
            broken=broken,
        )
        self.snapshots = SqlSnapshots(self.sql, partial(begin, lambda statement: self._rows(*numbered(statement))))
        self.importer = SqlImport(self.sql)
        migrations = load_migrations(
            "eventstore",
            "eventstore.backends.postgresql.migrations",
            prefix=prefix,
            qualifier=self._sql.qualifier,
        )
        self._migrator = Migrator(self.engine, migrations, prefix=prefix, schema=schema, description=self.description)
        self._announcer = Announcer(self.engine, self._sql.channel)
        self._listeners: list[Listener] = []

    def commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Stores all requests, in one transaction as far as they do not depend on each other."""
        with self._translated:
            lane = self._lanes.take()
        try:
            translate = self._translated.translate_append
            return Writer(lane.cursor, lane.direct.run, self._sql, translate, self._busy_seconds).write_group(requests)
        finally:
            self._lanes.give_back(lane)

    def commit_with(
        self, requests: Sequence[WriteRequest], companions: Sequence[Companion]
    ) -> list[Written | Exception]:
        """The same with what companions write, and a transaction begun outright for each wave of requests."""
        if len(requests) == 1 and (found := self._commit_in_one(requests[0], companions)) is not None:
            return [found]
        with self._translated, self.engine.connect() as plain:
            connection = plain.execution_options(later=True)
            return self._writer_on(connection, connection.begin, requests, companions).write_group(requests)

    def _commit_in_one(self, request: WriteRequest, companions: Sequence[Companion]) -> Written | Exception | None:
        """Stores an event and the rows beside it in one statement; None where that takes more, or one of them is refused."""
        statement = lone_statement(self._sql, request)
        if statement is None or (inserts := inserts_beside(companions, request)) is None:
            return None
        with self._translated:
            lane = self._lanes.take()
        try:
            version, position = (lane.direct.run(*with_inserts(statement, inserts)) or [(None, None)])[0]
        except LOST_RACE:
            return None
        except psycopg.Error as error:
            return self._translated.translate_append(error)
        finally:
            self._lanes.give_back(lane)
        if version is None or position is None:
            return None
        return Written(int(position), {request.writes[0].stream: int(version)})

    def _writer_on(
        self,
        connection: Connection,
        attempt: Callable[[], AbstractContextManager[object]],
        requests: Sequence[WriteRequest],
        companions: Sequence[Companion],
    ) -> Writer:
        cursor = _cursor(connection)

        def run(sql: str, params: Sequence[str | None]) -> list[Any]:
            if cursor.connection.info.transaction_status is not IDLE:
                return cursor.execute(sql, params, prepare=True).fetchall()
            with pipelined(connection):
                cursor.connection.execute("BEGIN")
                cursor.execute(sql, params, prepare=True)
            return cursor.fetchall()

        return Writer(
            cursor,
            run,
            self._sql,
            self._translated.translate_append,
            self._busy_seconds,
            attempt,
            _names(types_alone(companions, requests)),
            partial(accompany, companions, connection) if companions else None,
        )

    @contextmanager
    def excluding(self, connection: Connection | None, types: Iterable[str]) -> Iterator[None]:
        """Takes the locks of these types, as an append with a condition over them does."""
        with self._translated:
            keys = [str(key) for key, _ in locks((), _names(types))]
            _cursor(connection).execute(self._sql.exclude, [",".join(keys)], prepare=True)
        yield

    def write_on(self, connection: Connection, request: WriteRequest, companions: Sequence[Companion] = ()) -> Written:
        """Stores a request in the caller's open transaction, which a refusal leaves usable."""
        raw = connection.connection.driver_connection
        if not isinstance(raw, psycopg.Connection):
            raise TypeError(f"expected a connection to {self.description}, got one to {connection.engine.name}")
        cursor = _cursor(connection)

        @contextmanager
        def savepoint() -> Iterator[None]:
            connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")  # through SQLAlchemy, which begins if need be
            try:
                yield
            except BaseException:
                if not raw.closed:
                    cursor.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
                raise
            finally:
                if not raw.closed:
                    cursor.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")

        with self._translated:
            if request.has_guards or companions:
                _require_read_committed(
                    cursor, "a guarded stream" if request.has_guards else "a read model kept inline"
                )
            return self._writer_on(connection, savepoint, [request], companions).write(request)

    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        """Up to `limit` events of one stream."""
        return self._rows(*numbered(log_sql.stream_page(self._sql.events, stream, part, limit)))

    def stream_payloads(self, stream: str, part: StreamRange, limit: int) -> list[Payload]:
        """What a fold needs of up to `limit` events of one stream."""
        return self._rows(*numbered(log_sql.stream_payloads(self._sql.events, stream, part, limit)))

    def stream_version(self, stream: str) -> int:
        """The stream's version, 0 where it has no events."""
        return self._number(self._sql.stream_version, [stream])

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` matching events between two positions."""
        with self._cursor() as cursor:
            return self._page(cursor, wanted, (after, up_to), limit, backwards=backwards)

    def log_page_on(
        self, connection: Connection | None, wanted: LogFilter, after: int, up_to: int, limit: int
    ) -> list[Row]:
        """The same, as the transaction of a connection sees it."""
        with self._translated:
            return self._page(_cursor(connection), wanted, (after, up_to), limit)

    def _page(
        self, cursor: Cursor, wanted: LogFilter, between: tuple[int, int], limit: int, *, backwards: bool = False
    ) -> list[Row]:
        expanded = self._sql.expand_filter(cursor, wanted)
        statement = log_sql.log_page(self._sql.events, self._sql.tags, expanded, between, limit, backwards=backwards)
        return cursor.execute(*numbered(statement), prepare=True, binary=True).fetchall()

    def horizon(self) -> int:
        """The position below which no append is in flight any more; see the function in the migration."""
        return self._number(self._sql.horizon, [])

    def first_recorded_after(self, instant_us: int) -> int:
        """The lowest position recorded after the instant, by bisection and a look around."""
        return self._number(self._sql.first_recorded_after, [str(instant_us)])

    def event_row(self, event_id: str) -> Row | None:
        """The event with this id."""
        rows = self._rows(self._sql.events_by_id, [event_id])
        return rows[0] if rows else None

    def caused_rows(self, causation_ids: Sequence[str]) -> list[Row]:
        """The events that name one of these as their cause."""
        return self._rows(self._sql.caused_by, [SEPARATOR.join(causation_ids)])

    def streams_page(self, after: str, category: str | None, limit: int) -> list[StreamInfo]:
        """Up to `limit` streams in the order of their names."""
        return [StreamInfo(*row) for row in self._rows(self._sql.streams, [after, category, str(limit)])]

    def count(self) -> int:
        """How many events the log holds: counted, since positions may have gaps."""
        return self._number(self._sql.count, [])

    def stored_types(self) -> list[StoredType]:
        """The types and schema versions that the log holds, by looking through all of it."""
        return [StoredType(*row) for row in self._rows(log_sql.stored_types(self._sql.events), [])]

    def stalled(self) -> list[StalledAppend]:
        """Appends in flight, the longest first."""
        return [StalledAppend(*row) for row in self._rows(self._sql.stalled, [])]

    def migrate(self) -> list[str]:
        """Brings the tables to the newest version."""
        with self._translated:
            return self._migrator.migrate()

    def pending_migrations(self) -> list[str]:
        """The migrations that `migrate` would apply."""
        with self._translated:
            return self._migrator.pending()

    def announce(self) -> None:
        """Wakes subscriptions of other processes, soon, from a thread."""
        self._announcer.announce()

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` from a thread at every announcement of another process, and once when it has begun."""
        listener = Listener(self.engine, self._sql.channel, wake, lambda: self._announcer.pid)
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                listener.close()

        return stop

    def close(self) -> None:
        """Ends the threads and closes every connection."""
        self._announcer.close()
        while self._listeners:
            self._listeners.pop().close()
        self._lanes.close()
        self.engine.dispose()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        with self._translated:
            lane = self._lanes.take()
            try:
                yield lane.cursor
            finally:
                self._lanes.give_back(lane)

    def _rows(self, sql: str, params: Sequence[str | None]) -> list[Any]:
        with self._cursor() as cursor:
            return cursor.execute(sql, params, prepare=True, binary=True).fetchall()

    def _number(self, sql: str, params: Sequence[str | None]) -> int:
        return int(self._rows(sql, params)[0][0])


def _cursor(connection: Connection | None) -> Cursor:
    """The driver's own cursor over a connection."""
    assert connection is not None  # noqa: S101 - for the type checker; only a log in memory has none
    raw: Any = connection.connection.driver_connection
    return psycopg.RawCursor(raw)


def _names(types: Iterable[str]) -> frozenset[Name]:
    return frozenset([("type", each) for each in types])


def _require_read_committed(cursor: Cursor, what: str) -> None:
    """What is looked at after waiting for those who write to it takes a new snapshot."""
    (level,) = cursor.execute("SHOW transaction_isolation").fetchall()[0]
    if level != "read committed":
        raise Unsupported(
            f"{what} needs the isolation level READ COMMITTED, this transaction has {level.upper()}; nothing "
            "was stored. Begin it with that level, or append outside of it."
        )
