"""Relays over an outbox in SQLite: one at a time, by a lease."""

from contextlib import ExitStack
from functools import partial

from sqlalchemy import Connection

from commands.outbox.relaying import NONE, START, Ends, Key, Verdict
from commands.outbox.sql_relaying import Head, SqlRelaying, SqlTaken, next_after, next_retry, parked_of, ready
from commands.outbox.sql_table import SqlOutboxTable, row_of

LEASE_US = 30_000_000
"""For how long a relay on SQLite has its turn. Where it takes longer over a batch, another one may say the same once more.

A turn that ends later than twice that was taken by a clock that has been set back since, and holds nobody. Not once: whoever asks
may have looked at the clock just before another one had the turn.
"""


class SqliteRelaying(SqlRelaying):
    """One relay has its turn at a time, by a lease: only one process can write to the file at once anyway."""

    def __init__(self, table: SqlOutboxTable) -> None:
        super().__init__(table)
        name = table.table
        self._head = (
            "SELECT o.seq, o.aggregatetype, o.aggregateid, o.next_try, "
            f"({parked_of(name, 'o.aggregatetype', 'o.aggregateid')}) IS NOT NULL FROM {name} o "
            "WHERE o.sent IS NULL AND o.parked IS NULL "
            "AND (o.aggregatetype, o.aggregateid) > (?, ?) ORDER BY o.aggregatetype, o.aggregateid, o.seq LIMIT 1"
        )
        self._lease = (
            f"UPDATE {table.relay} SET owner = ?, until_us = ? WHERE owner = ? OR until_us NOT BETWEEN ? AND ?"
        )
        self._renew = f"UPDATE {table.relay} SET until_us = ? WHERE owner = ?"
        self._rows = (
            f"SELECT {self.columns} FROM {name} o WHERE o.aggregatetype = ? AND o.aggregateid = ? "
            "AND o.seq > ? AND o.sent IS NULL AND o.parked IS NULL ORDER BY o.seq LIMIT ?"
        )
        self._sent = f"UPDATE {name} SET sent = ?, error = NULL WHERE seq = ?"

    def take(self, owner: str, after: Key, limit: int, now_us: int, *, hold: bool, ahead: Ends = NONE) -> SqlTaken:
        """Messages to hand over."""
        with self.database.reading() as connection:
            found = self.heads(connection, after, 1)
        if not found:  # so that nobody writes where there is nothing to do
            return SqlTaken([], START, None, self.database.transaction, self.settle, ExitStack())
        with self.database.transaction() as connection:
            if not self._take_turn(connection, owner, now_us):
                return SqlTaken([], START, now_us + 1_000_000, self.database.transaction, self.settle, ExitStack())
            heads = self.heads(connection, after, limit)
            chosen = ready(heads, now_us, hold=hold, ahead=ahead)
            each_key = max(1, limit // max(1, len(chosen)))
            rows = [
                row_of(row)
                for head in chosen
                for row in connection.exec_driver_sql(
                    self._rows, (*head.whose, ahead.get(head.whose, (0, 0))[1], each_key)
                )
            ]
        if hold:
            self.follow_all(heads, now_us)
        after, retry_us = next_after(heads, limit), next_retry(heads, now_us)
        settle = partial(self._settle_in_turn, owner)
        return SqlTaken(rows, after, retry_us, self.database.transaction, settle, ExitStack())

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent: SQLite uses the whole index only for given values."""
        cursor = connection.connection.cursor()
        found: list[Head] = []
        while len(found) < limit and (row := cursor.execute(self._head, after).fetchone()) is not None:
            found.append(Head(*row))
            after = found[-1].whose
        cursor.close()
        return found

    def _take_turn(self, connection: Connection, owner: str, now_us: int) -> bool:
        values = (owner, now_us + LEASE_US, owner, now_us + 1, now_us + 2 * LEASE_US)
        return connection.exec_driver_sql(self._lease, values).rowcount == 1

    def _settle_in_turn(self, owner: str, connection: Connection, verdict: Verdict, now_us: int) -> bool:
        """Where it took longer than its lease, and another one has had its turn since, that one knows what became of them."""
        mine = connection.exec_driver_sql(self._renew, (now_us + LEASE_US, owner)).rowcount == 1
        return mine and self.settle(connection, verdict, now_us)

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        connection.exec_driver_sql(self._sent, [(now_us, each) for each in seqs])

    def release(self, owner: str) -> None:
        """Lets others have their turn at once."""
        with self.database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE {self.table.relay} SET until_us = 0 WHERE owner = ?", (owner,))
