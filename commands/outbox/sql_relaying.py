"""Relays over an outbox in a SQL database.

They go from key to key: of each, the first message that is not sent is found by one step down the index over what is open, however
many others of the key or of other keys there are. The next round begins where the last one ended, so that no key waits for ever.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from sqlalchemy import Connection

from commands.outbox.relaying import START, Ends, Key, Verdict
from commands.outbox.row import OutboxRow
from commands.outbox.sql_table import OPEN, SqlOutboxTable, columns_of


class Head(NamedTuple):
    """The first message of a key that is not sent, and whether another one of the key is parked."""

    seq: int
    channel: str
    key: str
    next_try_us: int
    parked: bool

    @property
    def whose(self) -> Key:
        """Its channel and key."""
        return self.channel, self.key


class SqlTaken:
    """See `commands.outbox.relaying.Taken`.

    Args:
        rows: the messages.
        after: where to look next.
        retry_us: when the first of those that wait is due.
        settle_in: opens the transaction in which is said what became of them.
        settle: says so.
        held: what is let go at the end.
    """

    def __init__(
        self,
        rows: list[OutboxRow],
        after: Key,
        retry_us: int | None,
        settle_in: Callable[[], AbstractContextManager[Connection]],
        settle: Callable[[Connection, Verdict, int], bool],
        held: ExitStack,
    ) -> None:
        self.rows, self.after, self.retry_us = rows, after, retry_us
        self._settle_in, self._settle, self._held = settle_in, settle, held

    def settle(self, verdict: Verdict, now_us: int) -> bool:
        """Says what became of them."""
        with self._held, self._settle_in() as connection:
            return self._settle(connection, verdict, now_us)

    def drop(self) -> None:
        """Lets them go."""
        self._held.close()


class SqlRelaying:
    """What relays share, whatever the database. See `commands.outbox.relaying.RelayTable`."""

    def __init__(self, table: SqlOutboxTable) -> None:
        self.table, self.database = table, table.database
        self.columns = columns_of(self.database, "o.")
        name = table.table
        self._failed = table.marked(
            f"UPDATE {name} SET attempts = ?, next_try = ?, error = ?, parked = ? WHERE seq = ?"
        )
        free = "" if self.database.dialect == "sqlite" else " FOR UPDATE SKIP LOCKED"  # what another has follows later
        self._follow = table.marked(
            f"UPDATE {name} SET parked = ? WHERE seq IN (SELECT seq FROM {name} WHERE aggregatetype = ? "
            f"AND aggregateid = ? AND {OPEN}{free})"
        )

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent; of at most so many keys."""
        raise NotImplementedError

    def settle(self, connection: Connection, verdict: Verdict, now_us: int) -> bool:
        """Says what became of messages."""
        if verdict.sent:
            self.mark_sent(connection, [each.seq for each in verdict.sent], now_us)
        for each in verdict.failed:
            parked = now_us if each.next_try_us is None else None
            connection.exec_driver_sql(
                self._failed, (each.attempts, each.next_try_us or 0, each.error, parked, each.row.seq)
            )
            if parked is not None and verdict.hold:
                self.follow(connection, each.row.event.channel, each.row.event.key, now_us)
        return True

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        raise NotImplementedError

    def follow(self, connection: Connection, channel: str, key: str, now_us: int) -> None:
        """Parks what is open of a key, behind what is parked."""
        connection.exec_driver_sql(self._follow, (now_us, channel, key))

    def follow_all(self, heads: Sequence[Head], now_us: int) -> None:
        """Parks what was added since under keys of which something is parked."""
        if any(each.parked for each in heads):
            with self.database.transaction() as connection:
                for each in heads:
                    if each.parked:
                        self.follow(connection, each.channel, each.key, now_us)

    def told(self, error: str | None, now_us: int) -> None:
        """Keeps why the broker takes no messages."""
        sql = self.table.marked(f"UPDATE {self.table.relay} SET error = ?, error_at = ?")
        with self.database.transaction() as connection:
            connection.exec_driver_sql(sql, (error, None if error is None else now_us))


def parked_of(table: str, channel: str, key: str) -> str:
    """A query for one message of a key that is parked, which takes one step down the index over those.

    In place of `EXISTS`: of that, PostgreSQL may make a look through the whole table.
    """
    wanted = f"p.aggregatetype = {channel} AND p.aggregateid = {key} AND p.parked IS NOT NULL"
    return f"SELECT p.seq FROM {table} p WHERE {wanted} LIMIT 1"


def ready(heads: Sequence[Head], now_us: int, *, hold: bool, ahead: Ends) -> list[Head]:
    """Those that may be handed over now; of keys of which something is in hand, only where that is what comes first."""
    return [
        each
        for each in heads
        if each.next_try_us <= now_us
        and not (each.parked and hold)
        and ahead.get(each.whose, (each.seq,))[0] == each.seq
    ]


def next_after(heads: Sequence[Head], limit: int) -> Key:
    """Where to look next."""
    return START if len(heads) < limit else heads[-1].whose


def next_retry(heads: Sequence[Head], now_us: int) -> int | None:
    """When the first of those that wait is due."""
    return min((each.next_try_us for each in heads if each.next_try_us > now_us), default=None)
