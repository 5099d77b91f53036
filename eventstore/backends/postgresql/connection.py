"""Connections to PostgreSQL: SQLAlchemy's pool over psycopg 3, in autocommit until a transaction is begun outright.

Hot statements go through the driver's cursor of a pooled connection, one round trip each. A connection that the server
has closed meanwhile (a restart, an administrator) is found by looking at its socket before it is used again, which
costs no round trip: an idle connection has nothing to read.
"""

import select
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

from eventstore.backends.postgresql.direct import DirectStatements
from eventstore.bounds import check_seconds
from eventstore.errors import InvalidInput

Cursor = psycopg.RawCursor[Any]
IDLE = psycopg.pq.TransactionStatus.IDLE
INERROR = psycopg.pq.TransactionStatus.INERROR


def describe(url: URL) -> str:
    """The database for humans, without user and password."""
    where = f"{url.host or 'local socket'}{f':{url.port}' if url.port else ''}"
    return f"PostgreSQL {where}/{url.database or ''}"


def open_engine(url: URL, *, pool_size: int, busy_seconds: float) -> Engine:
    """An engine whose connections run in autocommit; SQLAlchemy's transactions send their own BEGIN.

    Of the options of `SqlDatabase`, `alone` spares a statement its transaction, and the commit of a `relaxed` one does not wait
    for the disk. Whoever says `later` sends BEGIN himself, with his first statement.

    Args:
        url: any spelling of a PostgreSQL URL; the driver is psycopg.
        pool_size: how many connections are kept open; three times as many may be open at once.
        busy_seconds: how long a statement waits for a lock of somebody else's.
    """
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise InvalidInput(f"pool_size: expected an integer >= 1, got {pool_size!r}")
    lock_timeout = max(1, int(1000 * check_seconds("busy_seconds", busy_seconds)))  # the server takes 0 for ever
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"autocommit": True},
        pool_size=pool_size,
        max_overflow=2 * pool_size,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # the horizon and the conditions rely on a new snapshot for each statement, whatever the server's default
        connection.execute(
            "SELECT set_config('default_transaction_isolation', 'read committed', false), "
            "set_config('lock_timeout', %s, false)",
            [str(lock_timeout)],
        )

    @event.listens_for(engine, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        if went_away(connection):
            raise DisconnectionError("the server has closed this connection")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if not options.get("alone") and not options.get("later"):
            text = "BEGIN; SET LOCAL synchronous_commit = off" if options.get("relaxed") else "BEGIN"
            connection.connection.driver_connection.execute(text)

    return engine


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """Sends statements without waiting for each other's answers, where the client library can; an error is raised at the end."""
    raw: Any = connection.connection.driver_connection
    return raw.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()


def broken(connection: Connection) -> bool:
    """Whether a statement of the transaction has failed: the server takes no more, and turns a commit into a rollback."""
    raw: Any = connection.connection.driver_connection
    return bool(raw.pgconn.transaction_status == INERROR)


def went_away(connection: "psycopg.Connection[Any]") -> bool:
    """Whether an idle connection can be used no more."""
    return connection.closed or bool(_poller(connection).poll(0))


def _poller(connection: "psycopg.Connection[Any]") -> select.poll:
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return poller


class Lane:
    """A pooled connection that is kept at hand, with one cursor, for one caller at a time."""

    __slots__ = ("_poller", "_pooled", "connection", "cursor", "direct")

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self.connection = cast("psycopg.Connection[Any]", self._pooled.driver_connection)
        self.cursor: Cursor = psycopg.RawCursor(self.connection)
        self.direct = DirectStatements(self.connection)
        self._poller = _poller(self.connection)

    def usable(self) -> bool:
        """Whether the server has not closed it since it was used last, and no statement was cut short on it."""
        connection = self.connection
        return not connection.closed and connection.pgconn.transaction_status == IDLE and not self._poller.poll(0)

    def close(self) -> None:
        """Gives the connection back, or throws it away if it is broken."""
        if not self.usable():
            self._pooled.invalidate()
        self._pooled.close()


class Lanes:
    """Lends connections for single statements; the one used last is lent again without a word to the pool."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Lane] = []

    def take(self) -> Lane:
        """A connection in autocommit, to be given back."""
        while True:
            try:
                lane = self._idle.pop()
            except IndexError:
                return Lane(self._engine)
            if lane.usable():
                return lane
            lane.close()

    def give_back(self, lane: Lane) -> None:
        """Keeps one at hand; the pool has the others."""
        if self._idle or lane.connection.pgconn.transaction_status != IDLE:
            lane.close()
        else:
            self._idle.append(lane)

    def close(self) -> None:
        """Closes the idle one."""
        while self._idle:
            self._idle.pop().close()
