"""Prepared statements through libpq itself, for those that are run for every append.

A cursor of psycopg finds an adapter for every parameter, counts how often a statement was run and looks at the type of
every result: measured 55 us for a statement of seven texts and two numbers, where the calls below take 20. They keep what
matters of it: other threads run while the server works, and an interrupt is heard.
"""

import hashlib
import select
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias

import psycopg
from psycopg import pq

INTERRUPT_MS = 100
"""How long a wait for the server lasts before Python may handle a signal."""

TextRow: TypeAlias = tuple[str | None, ...]


class DirectStatements:
    """Runs statements on a connection in autocommit that nobody else uses meanwhile.

    Args:
        connection: to the database.
    """

    def __init__(self, connection: "psycopg.Connection[object]") -> None:
        self._pgconn = connection.pgconn
        self._encoding = connection.info.encoding
        self._names: dict[str, bytes] = {}
        self._poller = select.poll()
        self._poller.register(connection.fileno(), select.POLLIN)

    def run(self, sql: str, params: Sequence[str | None]) -> list[TextRow]:
        """Runs a statement whose parameters and results are texts, and returns its rows.

        Raises:
            psycopg.Error: the server refused, or is gone.
        """
        name = self._names.get(sql) or self._prepare(sql)
        self._pgconn.send_query_prepared(name, [None if each is None else each.encode() for each in params])
        result = self._result()
        columns = range(result.nfields)
        return [tuple([_text(result.get_value(row, i)) for i in columns]) for row in range(result.ntuples)]

    def _prepare(self, sql: str) -> bytes:
        """Named after its text: behind a proxy that shares sessions, a name must mean one statement."""
        name = f"eventfold_{hashlib.sha256(sql.encode()).hexdigest()[:32]}".encode()
        self._pgconn.send_prepare(name, sql.encode())
        with suppress(psycopg.errors.DuplicatePreparedStatement):
            self._result()
        self._names[sql] = name
        return name

    def _result(self) -> "pq.abc.PGresult":
        pgconn = self._pgconn
        while pgconn.flush():  # more than the socket takes at once
            select.select([], [pgconn.socket], [], INTERRUPT_MS / 1000)
        found = None
        while True:
            while pgconn.is_busy():
                if self._poller.poll(INTERRUPT_MS):
                    pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            found = found or result
        if found is None:
            raise psycopg.OperationalError("the server sent no result")
        if found.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
            raise psycopg.errors.error_from_result(found, encoding=self._encoding)
        return found


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
