"""An inbox in a SQL database."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from commands.inbox.arrival import Arrival, Identity
from commands.inbox.chain import ConsumerFailed
from commands.inbox.conflicts import in_each_others_way
from commands.inbox.statements import statements
from commands.inbox.table import Kept, Lane, LaneStatus, Mark, attributes_of, delivery_of
from eventstore import Conflict, StoreError
from eventstore.sql_database import SqlDatabase


class SqlInbox:
    """See `commands.inbox.table.InboxTable`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._sql = statements(database)
        self.shares = database.dialect == "postgresql"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Begins a transaction that waits for the disk."""
        done = False
        try:
            with self._database.durable() as connection:
                yield connection
                done = True
        except StoreError as error:
            if in_each_others_way(error.__cause__):
                raise Conflict(str(error)) from error
            if done and isinstance(error.__cause__, IntegrityError):  # a constraint that is looked at in the end only
                raise ConsumerFailed(error) from error
            raise

    def check(self, connection: Connection | None) -> None:
        """Refuses to go on in a transaction that a consumer has ended or broken."""
        if connection is None or not connection.in_transaction() or self._database.broken(connection):
            raise ConsumerFailed(
                StoreError(
                    "the consumer has ended its transaction, or has gone on after an error of its SQL that has broken it; leave "
                    "commit and rollback to the inbox, and use `connection.begin_nested()` around what may fail"
                )
            )

    def lock(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands; the row is locked on PostgreSQL, and all is on SQLite."""
        rows = self._run(connection, "lock", lane.group, lane.channel, lane.partition)
        if not rows:
            self._run(connection, "begin", lane.group, lane.channel, lane.partition)
            rows = self._run(connection, "lock", lane.group, lane.channel, lane.partition)
        return Mark(*rows[0])

    def share(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands; the row is shared on PostgreSQL, and all is locked on SQLite."""
        return Mark(*self._run(connection, "share", lane.group, lane.channel, lane.partition)[0])

    def claim(self, lane: Lane, moves: int) -> bool:
        """Raises the number of a lane's moves."""
        values = (lane.group, lane.channel, lane.partition, moves)
        with self._database.transaction() as connection:
            return connection.exec_driver_sql(self._sql["claim"], values).rowcount == 1

    def handled(self, connection: Connection | None, group: str, identities: Sequence[Identity]) -> set[Identity]:
        """Those of some messages that were handled or set aside before."""
        rows = self._run(connection, "handled", json.dumps(identities), group)
        return {(source, text) for source, text in rows}

    def keys_aside(self, connection: Connection | None, lane: Lane, keys: Collection[str]) -> set[str]:
        """Those of some keys that have messages aside."""
        wanted = json.dumps(list(keys))
        return {key for (key,) in self._run(connection, "keys_aside", wanted, lane.group, lane.channel, lane.partition)}

    def settle(
        self,
        connection: Connection | None,
        lane: Lane,
        identities: Sequence[Identity],
        aside: Sequence[Arrival],
        now_us: int,
    ) -> bool:
        """Notes that messages were handled or set aside, and keeps the latter."""
        cursor = _cursor(connection)
        if identities:
            cursor.execute(self._sql["settle"], (lane.group, now_us, json.dumps(identities)))
            if cursor.rowcount != len(identities):
                return False
        for each in aside:
            cursor.execute(self._sql["set_aside"], _row(lane, each, now_us))
        return True

    def move(self, connection: Connection | None, lane: Lane, mark: Mark, now_us: int) -> None:
        """Moves a lane that is locked."""
        self._run(connection, "move", mark.position, mark.moves, now_us, lane.group, lane.channel, lane.partition)

    def head(self, connection: Connection | None, lane: Lane, key: str | None, number: int) -> Kept | None:
        """The first message aside under a key; without a key, that with a number."""
        name, values = (
            ("by_number", (number,)) if key is None else ("head", (lane.group, lane.channel, lane.partition, key))
        )
        rows = self._read(name, *values) if connection is None else self._run(connection, name, *values)
        return _kept(rows[0]) if rows else None

    def done(self, connection: Connection | None, kept: Kept, now_us: int) -> None:
        """Forgets a message that is set aside, and has what follows it under its key tried now."""
        lane = kept.lane
        cursor = _cursor(connection)
        cursor.execute(self._sql["remove"], (kept.number,))
        if kept.identity is not None:
            cursor.execute(self._sql["remember"], (lane.group, *kept.identity, now_us))
        if kept.key is not None:
            cursor.execute(self._sql["next"], (now_us, *(lane.group, lane.channel, lane.partition, kept.key) * 2))

    def failed(self, connection: Connection | None, kept: Kept) -> None:
        """Keeps the attempts, the error and the next try of a message that is set aside."""
        _cursor(connection).execute(self._sql["failed"], (kept.attempts, kept.error, kept.next_try_us, kept.number))

    def due(self, lane: Lane, now_us: int) -> list[Kept]:
        """The messages that it is time to try again."""
        return [_kept(row) for row in self._read("due", lane.group, lane.channel, lane.partition, now_us)]

    def next_try(self, lane: Lane) -> int | None:
        """When the next one is to be tried again."""
        found: int | None = self._read("next_try", lane.group, lane.channel, lane.partition)[0][0]
        return found

    def heads(self, limit: int, after: int) -> list[tuple[Kept, int]]:
        """The messages aside that are the first ones of their keys, each with how many follow it, by number."""
        return [(_kept(row[:-1]), row[-1]) for row in self._read("heads", after, limit)]

    def find(self, number: int) -> Kept | None:
        """A message that is set aside."""
        rows = self._read("by_number", number)
        return _kept(rows[0]) if rows else None

    def followers(self, kept: Kept) -> list[Kept]:
        """What follows a message under its key."""
        lane = kept.lane
        rows = self._read("followers", lane.group, lane.channel, lane.partition, kept.key, kept.number)
        return [_kept(row) for row in rows]

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets that messages were handled before an instant."""
        with self._database.transaction() as connection:
            return connection.exec_driver_sql(self._sql["prune"], (before_us, limit)).rowcount

    def status(self) -> list[LaneStatus]:
        """How each lane does."""
        return [LaneStatus(Lane(*row[:3]), *row[3:]) for row in self._read("status")]

    def beat(self, group: str, channel: str, name: str, seconds: float) -> list[str]:
        """Counts a reader as alive for so long, and names all that are."""
        with self._database.transaction() as connection:
            self._run(connection, "beat", group, channel, name, int(seconds * 1e6))
            self._run(connection, "bury")
            return [found for (found,) in self._run(connection, "alive", group, channel)]

    def leave(self, group: str, channel: str, name: str) -> None:
        """Counts a reader no longer, and gives its lanes free."""
        with self._database.transaction() as connection:
            self._run(connection, "leave", group, channel, name)
            self._run(connection, "release_all", group, channel, name)

    def owners(self, group: str, channel: str) -> dict[int, str]:
        """Who has which lane of a channel."""
        return dict(self._read("owners", group, channel))

    def lease(self, group: str, channel: str, partitions: Sequence[int], name: str, seconds: float) -> None:
        """Has a reader own lanes for so long that nobody else owns."""
        with self._database.transaction() as connection:
            for number in partitions:
                self._run(connection, "lease", group, channel, number, name, int(seconds * 1e6))

    def release(self, group: str, channel: str, partitions: Sequence[int], name: str) -> None:
        """Gives lanes free that a reader owns."""
        with self._database.transaction() as connection:
            for number in partitions:
                self._run(connection, "release", group, channel, number, name)

    def _read(self, name: str, *values: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return self._run(connection, name, *values)

    def _run(self, connection: Connection | None, name: str, *values: Any) -> Sequence[Any]:
        cursor = _cursor(connection)
        cursor.execute(self._sql[name], values)
        return cursor.fetchall() if cursor.description is not None else ()


def _cursor(connection: Connection | None) -> Any:
    """The driver's own cursor: a statement costs a fraction of what it does through SQLAlchemy."""
    assert connection is not None  # noqa: S101 - for the type checker; only an inbox in memory has none
    return connection.connection.cursor()


def _row(lane: Lane, each: Arrival, now_us: int) -> tuple[Any, ...]:
    event = each.delivery.event
    return (
        *(lane.group, lane.channel, lane.partition, each.delivery.position, each.key),
        *(each.identity or (None, None)),
        None if event is None or "\0" in event.type else event.type,
        attributes_of(event),
        each.delivery.body if event is None else event.data,
        *(each.attempts, each.error, each.next_try_us, now_us),
    )


def _kept(row: Any) -> Kept:
    number, group, channel, part, position, key, source, id_, attributes, body, attempts, error, next_try, kept = row
    delivery = delivery_of(position, bytes(body), attributes, error)
    identity = None if id_ is None else (source, id_)
    return Kept(number, Lane(group, channel, part), delivery, key, identity, attempts, error, next_try, kept)
