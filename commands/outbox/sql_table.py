"""The outbox in the log's SQL database."""

from collections.abc import Sequence

from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.errors import DuplicateMessage
from commands.outbox.row import attributes_of
from eventstore.companion import Insert
from eventstore.sql_database import SqlDatabase

_WRITTEN = "id, aggregatetype, aggregateid, type, payload, headers, created"
_EXPRESSIONS = {"sqlite": "?, ?, ?, ?, ?, ?, ?", "postgresql": "?::uuid, ?, ?, ?, ?, ?, ?::bigint"}
COLUMNS = (
    "seq, {id}, aggregatetype, aggregateid, type, payload, headers, created, attempts, next_try, error, parked, sent"
)


class SqlOutboxTable:
    """See `commands.outbox.table.OutboxTable`."""

    def __init__(self, database: SqlDatabase) -> None:
        self.database = database
        self.table = database.qualified(f"{database.prefix}outbox")
        self._into, self._expressions = f"{self.table} ({_WRITTEN})", _EXPRESSIONS[database.dialect]
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
        return [Insert(self._into, self._expressions, _values(each, now_us)) for each in events]

    def remove(self, ids: Sequence[str]) -> None:
        """Takes messages out again."""
        with self.database.durable() as connection:
            for each in ids:
                connection.exec_driver_sql(self.marked(f"DELETE FROM {self.table} WHERE id = ?"), (each,))

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


def _values(event: CloudEvent, now_us: int) -> tuple[str | int, ...]:
    payload, attributes = event.data.decode(), attributes_of(event)
    return event.id, event.channel, event.key, event.type, payload, attributes, now_us
