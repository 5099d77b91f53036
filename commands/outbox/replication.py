"""A connection over which PostgreSQL says what is committed, as it is committed.

A slot keeps on the server how far its reader has come, through a kill of either and for as long as it takes; the server keeps its
write-ahead log from there on. What is confirmed is never said again, and what is not is said again.

Source: PostgreSQL's manual, "Streaming Replication Protocol".
"""

import asyncio
import struct
from typing import Any, Self

import psycopg
from psycopg import pq, sql

from commands.clock import now_us
from commands.outbox.pgoutput import EPOCH_US, PgOutput, Transaction
from commands.outbox.uninterrupted import uninterrupted

STATUS_SECONDS = 5.0
"""How often the server is told how far the reader has come though it did not ask: it gives up one that is silent for a minute."""

_KEEPALIVE = b"k"[0]
_DATA_HEADER = 25
"""Bytes before what the plugin says: the letter w, two places in the write-ahead log, and an instant."""


class Replication:
    """Reads the transactions of a publication through a slot. Of one event loop; an async context manager.

    Args:
        conninfo: how to connect, as psycopg takes it.
        slot: the slot, which is there already; at most one reader has it at a time.
        publication: what is published.
    """

    def __init__(self, conninfo: str, slot: str, publication: str) -> None:
        self._conninfo, self._slot, self._publication = conninfo, slot, publication
        self._connection: psycopg.Connection[Any] | None = None
        self._output = PgOutput()
        self._confirmed = 0
        self._received = 0  # the end of what has come
        self._open_rows = False  # whether a transaction has come that is not confirmed
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await uninterrupted(self._connect, lambda _: self._close())
        self._telling = asyncio.create_task(self._keep_telling())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        """The statement never ends: from here on both sides talk."""
        connection = psycopg.connect(self._conninfo, autocommit=True, replication="database")
        try:
            self._start(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _start(self, connection: psycopg.Connection[Any]) -> None:
        start = sql.SQL("START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {})")
        names = sql.Literal(sql.Identifier(self._publication).as_string(connection))
        connection.execute(start.format(sql.Identifier(self._slot), names))

    async def receive(self, rows: int) -> list[Transaction]:
        """The next transactions that have inserted something, in the order of their commits; waits for the first one.

        Args:
            rows: how many rows are enough. What is here already comes up to there; what is not is not waited for.

        Raises:
            psycopg.Error: the server is gone.
        """
        found: list[Transaction] = []
        count = 0
        while count < rows:
            message = self._take()
            if message is not None:
                transaction = self._hear(message)
                if transaction is not None:
                    found.append(transaction)
                    count += len(transaction.rows)
            elif found:
                break
            else:
                await self._wait()
        return found

    def _hear(self, message: bytes) -> Transaction | None:
        """A transaction with rows, if the message ends one."""
        if message[0] == _KEEPALIVE:
            end, _sent_at, wants_answer = struct.unpack_from(">QqB", message, 1)
            self._pass_to(end)
            if wants_answer:
                self._tell()
            return None
        transaction = self._output.feed(message[_DATA_HEADER:])
        if transaction is None:
            return None
        if not transaction.rows:
            self._pass_to(transaction.end)
            return None
        self._received = max(self._received, transaction.end)
        self._open_rows = True
        return transaction

    def confirm(self, end: int) -> None:
        """Everything up to there is dealt with; the server may forget it."""
        self._confirmed = max(self._confirmed, end)
        if self._confirmed >= self._received:
            self._open_rows = False
        self._tell()

    def _pass_to(self, end: int) -> None:
        """Where nothing is under way, what others have written meanwhile need not be kept for us either."""
        if not self._open_rows:
            self._received = max(self._received, end)
            self._confirmed = max(self._confirmed, end)

    def _tell(self) -> None:
        now = now_us() - EPOCH_US
        report = struct.pack(">cQQQqB", b"r", self._confirmed, self._confirmed, self._confirmed, now, 0)
        self._pgconn.put_copy_data(report)
        self._pgconn.flush()

    async def _keep_telling(self) -> None:
        """Also while a broker keeps the reader waiting."""
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            try:
                self._tell()
            except psycopg.Error:  # the reader will find out
                return

    def _take(self) -> bytes | None:
        """The next message; None where there is none yet."""
        count, data = self._pgconn.get_copy_data(1)
        if count > 0:
            return bytes(data)
        if count == 0:
            return None
        result = self._pgconn.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)
        raise psycopg.OperationalError("the server has ended the replication")

    async def _wait(self) -> None:
        """Until the server says something."""
        loop, bell = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._pgconn.socket, bell.set)
        try:
            await bell.wait()
        finally:
            loop.remove_reader(self._pgconn.socket)
        self._pgconn.consume_input()

    @property
    def _pgconn(self) -> "pq.abc.PGconn":
        assert self._connection is not None  # noqa: S101 - for the type checker; `async with` has connected
        return self._connection.pgconn
