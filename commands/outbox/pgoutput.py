"""Reads what PostgreSQL's logical replication says, in the format of its plugin `pgoutput`, version 1.

Source: PostgreSQL's manual, "Logical Replication Message Formats".
"""

import struct
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

Values: TypeAlias = dict[str, str | None]

_RELATION, _BEGIN, _COMMIT, _INSERT = b"RBCI"
_NULL, _UNCHANGED = b"nu"


class Inserted(msgspec.Struct, frozen=True):
    """A row that a transaction has inserted.

    Attributes:
        table: its table, without the schema.
        values: by column, as the database writes them as text.
    """

    table: str
    values: Values


class Transaction(msgspec.Struct, frozen=True):
    """A transaction that was committed. They come in the order of their commits.

    Attributes:
        end: where the log goes on behind it; once that is confirmed, the server does not say the transaction again.
        committed_us: when, microseconds since 1970 UTC.
        rows: what it has inserted, in its order.
    """

    end: int
    committed_us: int
    rows: list[Inserted]


EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts from the year 2000."""


class PgOutput:
    """Puts messages together to transactions. It keeps the columns of the tables, which are said once a connection."""

    def __init__(self) -> None:
        self._tables: dict[int, tuple[str, list[str]]] = {}
        self._rows: list[Inserted] = []

    def feed(self, message: bytes) -> Transaction | None:
        """Takes a message; the transaction that it ends, if it ends one."""
        kind = message[0]
        if kind == _BEGIN:
            self._rows = []
        elif kind == _RELATION:
            self._learn(message)
        elif kind == _INSERT:
            (relation,) = struct.unpack_from(">I", message, 1)
            table, columns = self._tables[relation]
            self._rows.append(Inserted(table, dict(zip(columns, _values(message, 6), strict=True))))
        elif kind == _COMMIT:
            _flags, _lsn, end, committed = struct.unpack_from(">BQQq", message, 1)
            return Transaction(end, committed + EPOCH_US, self._rows)
        return None  # types, origins and truncations say nothing of rows that were inserted

    def _learn(self, message: bytes) -> None:
        (relation,) = struct.unpack_from(">I", message, 1)
        _schema, place = _text(message, 5)
        table, place = _text(message, place)
        (count,) = struct.unpack_from(">H", message, place + 1)
        place += 3
        columns = []
        for _ in range(count):
            name, place = _text(message, place + 1)
            columns.append(name)
            place += 8
        self._tables[relation] = table, columns


def _text(message: bytes, start: int) -> tuple[str, int]:
    """A text that ends with a zero, and where the next thing begins."""
    end = message.index(b"\0", start)
    return message[start:end].decode(), end + 1


def _values(message: bytes, place: int) -> Iterator[str | None]:
    """The columns of a row; the letter N before them is passed over."""
    (count,) = struct.unpack_from(">H", message, place)
    place += 2
    for _ in range(count):
        kind = message[place]
        place += 1
        if kind in {_NULL, _UNCHANGED}:
            yield None
            continue
        (length,) = struct.unpack_from(">I", message, place)
        place += 4
        yield message[place : place + length].decode()
        place += length
