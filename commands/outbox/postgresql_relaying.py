"""Relays over an outbox in PostgreSQL: any number at once, each with locks on what it hands over."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import msgspec
from sqlalchemy import Connection

from commands.outbox.relaying import NONE, Ends, Key
from commands.outbox.row import OutboxRow
from commands.outbox.sql_relaying import Head, SqlRelaying, SqlTaken, next_after, next_retry, parked_of, ready
from commands.outbox.sql_table import SqlOutboxTable, row_of

_STILL_OPEN = "coalesce(sent, parked) IS NULL"
"""The same as `OPEN`, in words in which PostgreSQL does not know its index again: it would take it for shorter than it is, and look
through all that is open for messages whose numbers are known."""

_NUMBERS = "ARRAY(SELECT unnest(string_to_array(%s, ',')::bigint[]))"
"""Numbers as one text: the driver takes many times as long to write a list. PostgreSQL does not know how many there are, or it
would look through the whole table for many."""


class _Behind(msgspec.Struct, frozen=True, gc=False):
    """Where to look for messages: under a key, behind the last one that is in hand."""

    channel: str
    key: str
    last: int


class PostgresRelaying(SqlRelaying):
    """Holds locks on the messages while they are handed over; a relay that is killed lets them go by itself.

    The first message of a key is locked first, and skipped with all that follows where somebody else has it. Then those behind it
    are locked, up to one that somebody else has: a transaction that began earlier may have committed it later.
    """

    def __init__(self, table: SqlOutboxTable) -> None:
        super().__init__(table)
        name = table.table
        first = (
            f"SELECT o.seq, o.aggregatetype, o.aggregateid, o.next_try FROM {name} o "
            "WHERE o.sent IS NULL AND o.parked IS NULL AND (o.aggregatetype, o.aggregateid) > ({after}) "
            "ORDER BY o.aggregatetype, o.aggregateid, o.seq LIMIT 1"
        )
        self._heads = (
            f"WITH RECURSIVE heads(number, seq, channel, key, next_try) AS (SELECT 1, o.* FROM ({first.format(after='%s, %s')}) o "
            f"UNION ALL SELECT h.number + 1, o.* FROM heads h CROSS JOIN LATERAL ({first.format(after='h.channel, h.key')}) o "
            "WHERE h.number < %s) "
            f"SELECT seq, channel, key, next_try, ({parked_of(name, 'h.channel', 'h.key')}) IS NOT NULL "
            "FROM heads h ORDER BY number"
        )
        self._lock = f"SELECT seq FROM {name} WHERE seq = ANY({_NUMBERS}) AND {_STILL_OPEN} FOR UPDATE SKIP LOCKED"
        self._rows = (
            "WITH following AS (SELECT o.* FROM json_to_recordset(%s::json) AS k(channel text, key text, last bigint) "
            f"CROSS JOIN LATERAL (SELECT o.* FROM {name} o WHERE o.aggregatetype = k.channel AND o.aggregateid = k.key "
            "AND o.seq > k.last AND o.sent IS NULL AND o.parked IS NULL ORDER BY o.seq LIMIT %s) o "
            f"WHERE NOT %s OR ({parked_of(name, 'k.channel', 'k.key')}) IS NULL), "
            f"locked AS (SELECT seq FROM {name} WHERE seq = ANY(ARRAY(SELECT seq FROM following)) AND {_STILL_OPEN} "
            "FOR UPDATE SKIP LOCKED) "
            f"SELECT o.seq IN (SELECT seq FROM locked), {self.columns} FROM following o ORDER BY o.seq"
        )
        self._sent = f"UPDATE {name} SET sent = %s, error = NULL WHERE seq = ANY({_NUMBERS})"

    def take(self, _owner: str, after: Key, limit: int, now_us: int, *, hold: bool, ahead: Ends = NONE) -> SqlTaken:
        """Messages to hand over."""
        with self.database.reading() as reading:
            heads = self.heads(reading, after, limit)
        if hold:
            self.follow_all(heads, now_us)
        chosen = ready(heads, now_us, hold=hold, ahead=ahead)
        with ExitStack() as stack:
            connection = stack.enter_context(self.database.transaction()) if chosen else None
            rows = [] if connection is None else self._locked(connection, chosen, limit, ahead, hold=hold)
            held = stack.pop_all()
        taken = SqlTaken(
            rows, next_after(heads, limit), next_retry(heads, now_us), partial(_same, connection), self.settle, held
        )
        if not rows:
            taken.drop()
        return taken

    def heads(self, connection: Connection, after: Key, limit: int) -> list[Head]:
        """Of each key after one, the first message that is not sent."""
        return [Head(*each) for each in connection.exec_driver_sql(self._heads, (*after, limit))]

    def _locked(
        self, connection: Connection, ready: Sequence[Head], limit: int, ahead: Ends, *, hold: bool
    ) -> list[OutboxRow]:
        free = [each.seq for each in ready if each.whose not in ahead]  # the others are locked already, by their owner
        mine = {seq for (seq,) in connection.exec_driver_sql(self._lock, (_numbers(free),)).all()}
        keys = [each.whose for each in ready if each.seq in mine or each.whose in ahead]
        if not keys:
            return []
        wanted = [_Behind(*each, ahead.get(each, (0, 0))[1]) for each in keys]
        looked_up = msgspec.json.encode(wanted).decode(), max(1, limit // len(keys)), hold
        rows, ended = [], set()
        for locked, *values in connection.exec_driver_sql(self._rows, looked_up).all():
            row = row_of(values)
            key = row.event.channel, row.event.key
            if not locked:
                ended.add(key)
            elif key not in ended:
                rows.append(row)
        return rows

    def mark_sent(self, connection: Connection, seqs: list[int], now_us: int) -> None:
        """Says that messages were sent."""
        connection.exec_driver_sql(self._sent, (now_us, _numbers(seqs)))

    def release(self, _owner: str) -> None:
        """Nothing to do: locks end with their transaction."""


def _numbers(seqs: Sequence[int]) -> str:
    return ",".join(map(str, seqs))


@contextmanager
def _same(connection: Connection | None) -> Iterator[Connection]:
    assert connection is not None  # noqa: S101 - for the type checker; there is one where there are rows
    yield connection
