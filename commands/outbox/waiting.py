"""The messages that a stream cannot hand over at once: they wait in the table, in their order, for a relay."""

from collections.abc import Sequence

from sqlalchemy import Connection

from commands.clock import now_us
from commands.outbox.relaying import Verdict, key_of
from commands.outbox.row import OutboxRow, attributes_of
from commands.outbox.sql_table import OPEN
from eventstore.sql_database import SqlDatabase

DUE = 1
"""The `next_try` of a row that a stream has put here: it may go, and a stream knows it by that."""


class WaitingRows:
    """Of an outbox in PostgreSQL.

    Args:
        database: where the outbox is.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        table = database.qualified(f"{database.prefix}outbox")
        self._due = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {OPEN} AND next_try BETWEEN {DUE} AND %s)"
        self._keys = (
            f"SELECT o.aggregatetype, o.aggregateid, bool_or(o.parked IS NOT NULL), bool_or(o.parked IS NULL) FROM {table} o "
            "JOIN unnest(%s::text[], %s::text[]) AS k(channel, key) ON o.aggregatetype = k.channel AND o.aggregateid = k.key "
            f"WHERE o.sent IS NULL AND (o.parked IS NOT NULL OR o.next_try >= {DUE}) GROUP BY 1, 2"
        )
        columns = (
            "seq, id, aggregatetype, aggregateid, type, payload, headers, created, attempts, next_try, error, parked"
        )
        put = f"INSERT INTO {table} AS kept ({columns}) OVERRIDING SYSTEM VALUE VALUES ({', '.join(['%s'] * 12)}) ON CONFLICT (id)"
        state = ("attempts", "next_try", "error", "parked")
        self._put = (
            f"{put} DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in state)} WHERE kept.sent IS NULL"
        )
        self._put_new = (
            f"{put} DO UPDATE SET next_try = greatest({DUE}, kept.next_try), parked = coalesce(kept.parked, excluded.parked) "
            "WHERE kept.sent IS NULL"
        )
        self._sent = f"UPDATE {table} SET sent = %s WHERE seq = ANY(%s) AND sent IS NULL"

    def mark_sent(self, rows: Sequence[OutboxRow]) -> None:
        """Says that messages were sent whose rows are kept."""
        with self._database.transaction() as connection:
            connection.exec_driver_sql(self._sent, (now_us(), [each.seq for each in rows]))

    def any_due(self) -> bool:
        """Whether a message waits that may go."""
        with self._database.reading() as connection:
            return bool(connection.exec_driver_sql(self._due, (now_us(),)).scalar_one())

    def join(self, rows: Sequence[OutboxRow], *, hold: bool) -> list[OutboxRow]:
        """Lets messages wait behind those of their keys that wait already; returns the others.

        Args:
            rows: the messages, in the order of their commits.
            hold: whether they wait behind a parked one, too.
        """
        keys = list({key_of(each) for each in rows})
        channels, names = map(list, zip(*keys, strict=True))
        with self._database.durable() as connection:
            found = connection.exec_driver_sql(self._keys, (channels, names)).all()
            waiting = {(channel, key): parked for channel, key, parked, open_ in found if hold or open_}
            for each in rows:
                if key_of(each) in waiting:
                    self._wait_behind(connection, each, parked=hold and waiting[key_of(each)])
        return [each for each in rows if key_of(each) not in waiting]

    def set_aside(self, verdict: Verdict, pending: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Keeps what has failed, with what follows it; returns them all."""
        aside: list[OutboxRow] = []
        with self._database.durable() as connection:
            for failed in verdict.failed:
                first, final = failed.row, failed.next_try_us is None
                now = now_us() if final else None
                state = failed.attempts, failed.next_try_us or DUE, failed.error, now
                connection.exec_driver_sql(self._put, (*_written(first), *state))
                aside.append(first)
                if verdict.hold or not final:
                    followers = [each for each in pending if key_of(each) == key_of(first) and each.seq > first.seq]
                    for each in followers:
                        self._wait_behind(connection, each, parked=final)
                    aside += followers
        return aside

    def _wait_behind(self, connection: Connection, row: OutboxRow, *, parked: bool) -> None:
        state = 0, DUE, None, now_us() if parked else None
        connection.exec_driver_sql(self._put_new, (*_written(row), *state))


def _written(row: OutboxRow) -> tuple[object, ...]:
    event = row.event
    attributes = attributes_of(event)
    return row.seq, event.id, event.channel, event.key, event.type, event.data.decode(), attributes, row.created_us
