"""Relays over an outbox in a SQL database.

They go from key to key: of each, the first message that is not sent is found by one step down the index over what is open, however
many others of the key or of other keys there are. The next round begins where the last one ended, so that no key waits for ever.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple

from sqlalchemy import Connection

from commands.outbox.relaying import START, Key, Verdict
from commands.outbox.row import OutboxRow
from commands.outbox.sql_table import OPEN, SqlOutboxTable, columns_of, row_of

LEASE_US = 30_000_000
"""For how long a relay on SQLite has its turn. Where it takes longer over a batch, another one may say the same once more."""

_STILL_OPEN = "coalesce(sent, parked) IS NULL"
"""The same as `OPEN`, in words in which PostgreSQL does not know its index again: it would take it for shorter than it is, and look
through all that is open for messages whose numbers are known."""


class Head(NamedTuple):
    """The first message of a key that is not sent, and whether another one of the key is parked."""

    seq: int
    channel: str
    key: str
    next_try_us: int
    parked: bool


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
        settle: Callable[[Connection, Verdict, int], None],
        held: ExitStack,
    ) -> None:
        self.rows, self.after, self.retry_us = rows, after, retry_us
        self._settle_in, self._settle, self._held = settle_in, settle, held

    def settle(self, verdict: Verdict, now_us: int) -> None:
        """Says what became of them."""
        with self._held, self._settle_in() as connection:
            self._settle(connection, verdict, now_us)

    def drop(self) -> None:
        """Lets them go."""
        self._held.close()


class SqlRelaying:
    """What relays share, whatever the database. See `commands.outbox.relaying.RelayTable`."""

    def __init__(self, table: SqlOutboxTable) -> None:
        self.table, self.database = table, table.database
        self.columns = columns_of(self.database, "o.")
        name = table.table
        parked = f"SELECT 1 FROM {name} p WHERE p.aggregatetype = o.aggregatetype AND p.aggregateid = o.aggregateid"
        self.head = f"o.seq, o.aggregatetype, o.aggregateid, o.next_try, EXISTS ({parked} AND p.parked IS NOT NULL)"
        self._failed = table.marked(
            f"UPDATE {name} SET attempts = attempts + 1, next_try = ?, error = ?, parked = ? WHERE seq = ?"
        )
        self._follow = table.marked(
            f"UPDATE {name} SET parked = ? WHERE aggregatetype = ? AND aggregateid = ? AND {OPEN}"
        )

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent; of at most so many keys."""
        raise NotImplementedError

    def settle(self, connection: Connection, verdict: Verdict, now_us: int) -> None:
        """Says what became of messages."""
        if verdict.sent:
            self.mark_sent(connection, [each.seq for each in verdict.sent], now_us)
        for each in verdict.failed:
            parked = now_us if each.next_try_us is None else None
            connection.exec_driver_sql(self._failed, (each.next_try_us or 0, each.error, parked, each.row.seq))
            if parked is not None and verdict.hold:
                self.follow(connection, each.row.event.channel, each.row.event.key, now_us)

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        raise NotImplementedError

    def follow(self, connection: Connection, channel: str, key: str, now_us: int) -> None:
        """Parks what is open of a key, behind what is parked."""
        connection.exec_driver_sql(self._follow, (now_us, channel, key))

    def ready(self, connection: Connection, heads: Sequence[Head], now_us: int, *, hold: bool) -> list[Head]:
        """Those that may be handed over now; the others of keys that are parked are parked, too."""
        found = []
        for each in heads:
            if each.parked and hold:
                self.follow(connection, each.channel, each.key, now_us)
            elif each.next_try_us <= now_us:
                found.append(each)
        return found

    def told(self, error: str | None, now_us: int) -> None:
        """Keeps why the broker takes no messages."""
        sql = self.table.marked(f"UPDATE {self.table.relay} SET error = ?, error_at = ?")
        with self.database.transaction() as connection:
            connection.exec_driver_sql(sql, (error, None if error is None else now_us))


def next_after(heads: Sequence[Head], limit: int) -> Key:
    """Where to look next."""
    return START if len(heads) < limit else (heads[-1].channel, heads[-1].key)


def next_retry(heads: Sequence[Head], now_us: int) -> int | None:
    """When the first of those that wait is due."""
    return min((each.next_try_us for each in heads if each.next_try_us > now_us), default=None)


class PostgresRelaying(SqlRelaying):
    """Holds locks on the messages while they are handed over; a relay that is killed lets them go by itself.

    The first message of a key is locked first, and skipped with all that follows where somebody else has it. Then those behind it
    are locked, up to one that somebody else has: a transaction that began earlier may have committed it later.
    """

    def __init__(self, table: SqlOutboxTable) -> None:
        super().__init__(table)
        name = table.table
        first = (
            f"SELECT o.seq FROM {name} o WHERE o.sent IS NULL AND o.parked IS NULL AND (o.aggregatetype, o.aggregateid)"
        )
        order = "ORDER BY o.aggregatetype, o.aggregateid, o.seq LIMIT 1"
        self._heads = (
            f"WITH RECURSIVE heads(number, seq) AS (SELECT 1, ({first} > (%s, %s) {order}) "
            f"UNION ALL SELECT h.number + 1, ({first} > (at.aggregatetype, at.aggregateid) {order}) "
            f"FROM heads h JOIN {name} at ON at.seq = h.seq WHERE h.number < %s) "
            f"SELECT {self.head} FROM heads h JOIN {name} o ON o.seq = h.seq ORDER BY h.number"
        )
        self._lock = f"SELECT seq FROM {name} WHERE seq = ANY(%s) AND {_STILL_OPEN} FOR UPDATE SKIP LOCKED"
        self._rows = (
            "WITH following AS (SELECT o.seq FROM unnest(%s::text[], %s::text[]) AS k(channel, key) CROSS JOIN LATERAL "
            f"(SELECT o.seq FROM {name} o WHERE o.aggregatetype = k.channel AND o.aggregateid = k.key "
            "AND o.sent IS NULL AND o.parked IS NULL ORDER BY o.seq LIMIT %s) o), "
            f"locked AS (SELECT seq FROM {name} WHERE seq = ANY(ARRAY(SELECT seq FROM following)) AND {_STILL_OPEN} "
            "FOR UPDATE SKIP LOCKED) "
            f"SELECT locked.seq IS NOT NULL, {self.columns} FROM following JOIN {name} o ON o.seq = following.seq "
            "LEFT JOIN locked ON locked.seq = following.seq ORDER BY o.seq"
        )
        self._sent = f"UPDATE {name} SET sent = %s, error = NULL WHERE seq = ANY(%s)"

    def take(self, _owner: str, after: Key, limit: int, now_us: int, *, hold: bool) -> SqlTaken:
        """Messages to hand over."""
        with ExitStack() as stack:
            connection = stack.enter_context(self.database.transaction())
            heads = self.heads(connection, after, limit)
            ready = self.ready(connection, heads, now_us, hold=hold)
            rows = self._locked(connection, ready, limit) if ready else []
            held = stack.pop_all()
        taken = SqlTaken(
            rows, next_after(heads, limit), next_retry(heads, now_us), lambda: _same(connection), self.settle, held
        )
        if not rows:
            taken.drop()
        return taken

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent."""
        return [Head(*each) for each in connection.exec_driver_sql(self._heads, (*after, limit))]

    def _locked(self, connection: Connection, ready: Sequence[Head], limit: int) -> list[OutboxRow]:
        mine = {seq for (seq,) in connection.exec_driver_sql(self._lock, ([each.seq for each in ready],))}
        keys = [(each.channel, each.key) for each in ready if each.seq in mine]
        if not keys:
            return []
        channels, names = map(list, zip(*keys, strict=True))
        found = connection.exec_driver_sql(self._rows, (channels, names, max(1, limit // len(keys)))).all()
        rows, ended = [], set()
        for locked, *values in found:
            row = row_of(values)
            key = row.event.channel, row.event.key
            if not locked:
                ended.add(key)
            elif key not in ended:
                rows.append(row)
        return rows

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        connection.exec_driver_sql(self._sent, (now_us, seqs))

    def release(self, _owner: str) -> None:
        """Nothing to do: locks end with their transaction."""


class SqliteRelaying(SqlRelaying):
    """One relay has its turn at a time, by a lease: only one process can write to the file at once anyway."""

    def __init__(self, table: SqlOutboxTable) -> None:
        super().__init__(table)
        name = table.table
        self._head = (
            f"SELECT {self.head} FROM {name} o WHERE o.sent IS NULL AND o.parked IS NULL "
            "AND (o.aggregatetype, o.aggregateid) > (?, ?) ORDER BY o.aggregatetype, o.aggregateid, o.seq LIMIT 1"
        )
        self._lease = f"UPDATE {table.relay} SET owner = ?, until_us = ? WHERE owner = ? OR until_us <= ?"
        self._rows = (
            f"SELECT {self.columns} FROM {name} o WHERE o.aggregatetype = ? AND o.aggregateid = ? "
            "AND o.sent IS NULL AND o.parked IS NULL ORDER BY o.seq LIMIT ?"
        )
        self._sent = f"UPDATE {name} SET sent = ?, error = NULL WHERE seq = ?"

    def take(self, owner: str, after: Key, limit: int, now_us: int, *, hold: bool) -> SqlTaken:
        """Messages to hand over."""
        with self.database.reading() as connection:
            found = self.heads(connection, after, 1)
        if not found:  # so that nobody writes where there is nothing to do
            return SqlTaken([], START, None, self.database.transaction, self.settle, ExitStack())
        with self.database.transaction() as connection:
            if not self._take_turn(connection, owner, now_us):
                return SqlTaken([], START, now_us + 1_000_000, self.database.transaction, self.settle, ExitStack())
            heads = self.heads(connection, after, limit)
            ready = self.ready(connection, heads, now_us, hold=hold)
            each_key = max(1, limit // max(1, len(ready)))
            rows = [
                row_of(row)
                for head in ready
                for row in connection.exec_driver_sql(self._rows, (head.channel, head.key, each_key))
            ]
        after, retry_us = next_after(heads, limit), next_retry(heads, now_us)
        return SqlTaken(rows, after, retry_us, self.database.transaction, self.settle, ExitStack())

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent: SQLite uses the whole index only for given values."""
        cursor = connection.connection.cursor()
        found: list[Head] = []
        while len(found) < limit and (row := cursor.execute(self._head, after).fetchone()) is not None:
            found.append(Head(*row))
            after = found[-1].channel, found[-1].key
        cursor.close()
        return found

    def _take_turn(self, connection: Connection, owner: str, now_us: int) -> bool:
        return connection.exec_driver_sql(self._lease, (owner, now_us + LEASE_US, owner, now_us)).rowcount == 1

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        connection.exec_driver_sql(self._sent, [(now_us, each) for each in seqs])

    def release(self, owner: str) -> None:
        """Lets others have their turn at once."""
        with self.database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE {self.table.relay} SET until_us = 0 WHERE owner = ?", (owner,))


@contextmanager
def _same(connection: Connection) -> Iterator[Connection]:
    yield connection
