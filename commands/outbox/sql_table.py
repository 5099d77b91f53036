"""The outbox in a SQL database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.errors import DuplicateMessage
from commands.outbox.row import PARKED, PENDING, SENT, WAITING, OutboxRow, attributes_of, event_of
from commands.outbox.table import Counts
from eventstore.companion import Insert
from eventstore.sql_database import SqlDatabase

OPEN = "sent IS NULL AND parked IS NULL"
"""What is neither sent nor parked, as the index over it says it."""

_WRITTEN = "id, aggregatetype, aggregateid, type, payload, headers, created"
_EXPRESSIONS = {"sqlite": "?, ?, ?, ?, ?, ?, ?", "postgresql": "?::uuid, ?, ?, ?, ?, ?, ?::bigint"}
_STATES = {
    PENDING: OPEN,
    WAITING: f"{OPEN} AND attempts > 0",
    PARKED: "parked IS NOT NULL",
    SENT: "sent IS NOT NULL",
}
_LIKE = "aggregatetype = ? AND aggregateid = ? AND parked IS NOT NULL"
_UNPARKED = (
    "parked = NULL, attempts = 0, next_try = 1, error = NULL"  # a stream knows by the 1 that it is a relay's to send
)


class SqlOutboxTable:
    """See `commands.outbox.table.OutboxTable`.

    Args:
        database: where it is.
        passing: whether rows are deleted as soon as they are added.
    """

    def __init__(self, database: SqlDatabase, *, passing: bool = False) -> None:
        self.database = database
        self._passing = passing
        self.table = database.qualified(f"{database.prefix}outbox")
        self._into, self._expressions = f"{self.table} ({_WRITTEN})", _EXPRESSIONS[database.dialect]
        self.relay = database.qualified(f"{database.prefix}outbox_relay")
        self.columns = columns_of(database)
        self._insert = self.marked(
            f"INSERT INTO {self.table} ({_WRITTEN}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
        )

    def marked(self, sql: str) -> str:
        """A statement with the driver's own marks for its parameters."""
        return sql if self.database.dialect == "sqlite" else sql.replace("?", "%s")

    def insert(self, connection: Connection | None, events: Sequence[CloudEvent], now_us: int) -> None:
        """Adds messages."""
        if connection is not None:
            self._insert_on(connection, events, now_us)
            return
        with self.database.durable() as own:
            self._insert_on(own, events, now_us)

    def inserts(self, events: Sequence[CloudEvent], now_us: int) -> list[Insert] | None:
        """Messages as rows to be inserted."""
        if self._passing:  # no statement deletes what it inserts
            return None if events else []
        return [Insert(self._into, self._expressions, _values(each, now_us)) for each in events]

    def _insert_on(self, connection: Connection, events: Sequence[CloudEvent], now_us: int) -> None:
        rows = [_values(each, now_us) for each in events]
        cursor = connection.connection.cursor()
        if len(rows) == 1:
            cursor.execute(self._insert, rows[0])
        else:
            cursor.executemany(self._insert, rows)
        kept = cursor.rowcount
        cursor.close()
        if kept != len(rows):
            raise DuplicateMessage([each.id for each in events])
        if self._passing:
            ids = [each.id for each in events]
            connection.exec_driver_sql(f"DELETE FROM {self.table} WHERE id = ANY(%s::uuid[])", (ids,))

    def remove(self, ids: Sequence[str]) -> None:
        """Takes messages out again."""
        with self.database.durable() as connection:
            for each in ids:
                connection.exec_driver_sql(self.marked(f"DELETE FROM {self.table} WHERE id = ?"), (each,))

    def page(self, state: str | None, channel: str | None, key: str | None, after: int, limit: int) -> list[OutboxRow]:
        """Messages in their order."""
        wanted = ["seq > ?"] + ([] if state is None else [_STATES[state]])
        values: list[Any] = [after]
        for column, value in (("aggregatetype", channel), ("aggregateid", key)):
            if value is not None:
                wanted.append(f"{column} = ?")
                values.append(value)
        sql = f"SELECT {self.columns} FROM {self.table} WHERE {' AND '.join(wanted)} ORDER BY seq LIMIT ?"
        return self._rows(sql, (*values, limit))

    def find(self, message_id: str) -> OutboxRow | None:
        """The message with this id."""
        found = self._rows(f"SELECT {self.columns} FROM {self.table} WHERE id = ?", (message_id,))
        return found[0] if found else None

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[OutboxRow]:
        with self.database.reading() as connection:
            return [row_of(each) for each in connection.exec_driver_sql(self.marked(sql), values)]

    def counts(self) -> Counts:
        """How it does."""
        counts = [f"(SELECT count(*) FROM {self.table} WHERE {_STATES[each]})" for each in _STATES]
        oldest = f"(SELECT min(created) FROM {self.table} WHERE {OPEN})"
        with self.database.reading() as connection:
            sql = f"SELECT {', '.join(counts)}, {oldest}, error, error_at FROM {self.relay}"
            return Counts(*connection.exec_driver_sql(sql).one())

    def unpark(self, row: OutboxRow) -> int:
        """Lets a parked message be sent, and those of its key that are parked only because of it."""
        sql = f"UPDATE {self.table} SET {_UNPARKED} WHERE {_LIKE} AND (error IS NULL OR seq = ?)"
        with self.database.durable() as connection:
            values = row.event.channel, row.event.key, row.seq
            return connection.exec_driver_sql(self.marked(sql), values).rowcount

    def discard(self, row: OutboxRow) -> None:
        """Forgets a parked message, and lets those be sent that are parked only because of it."""
        faulty = f"SELECT 1 FROM {self.table} WHERE {_LIKE} AND error IS NOT NULL"
        release = f"UPDATE {self.table} SET {_UNPARKED} WHERE {_LIKE} AND NOT EXISTS ({faulty})"
        like = row.event.channel, row.event.key
        with self.database.durable() as connection:
            connection.exec_driver_sql(
                self.marked(f"DELETE FROM {self.table} WHERE seq = ? AND parked IS NOT NULL"), (row.seq,)
            )
            connection.exec_driver_sql(self.marked(release), like + like)

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets those that were sent before an instant."""
        chosen = f"SELECT seq FROM {self.table} WHERE sent IS NOT NULL AND sent < ? ORDER BY sent LIMIT ?"
        with self.database.transaction() as connection:
            sql = self.marked(f"DELETE FROM {self.table} WHERE seq IN ({chosen})")
            return connection.exec_driver_sql(sql, (before_us, limit)).rowcount


def columns_of(database: SqlDatabase, table: str = "") -> str:
    """The columns that make a row, of a table where several are read."""
    message_id = f"{table}id" if database.dialect == "sqlite" else f"{table}id::text"
    names = ("aggregatetype", "aggregateid", "type", "payload", "headers", "created", "attempts", "next_try")
    others = [f"{table}{each}" for each in (*names, "error", "parked", "sent")]
    return ", ".join([f"{table}seq", message_id, *others])


def row_of(values: Any) -> OutboxRow:
    """A message from its columns."""
    seq, message_id, channel, key, kind, payload, headers, *others = values
    return OutboxRow(seq, event_of(message_id, channel, key, kind, payload, headers), *others)


def _values(event: CloudEvent, now_us: int) -> tuple[str | int, ...]:
    payload, attributes = event.data.decode(), attributes_of(event)
    return event.id, event.channel, event.key, event.type, payload, attributes, now_us
