"""The registry of generations in a SQL database: which there are, which one is live, and where each of its partitions stands."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from eventstore.sql_database import SqlDatabase
from projections.errors import GenerationDropped
from projections.parked import Mended, Parked, ParkedKey
from projections.target import RATE_SECONDS, Change, Checkpoint, GenerationInfo
from projections.targets.sql_clock import now_us


class GenerationRegistry:
    """The generations and checkpoints of one projection in one target.

    Args:
        database: where it is.
        projection: the projection's name.
        target: the target's name.
        apart: whether the rows are no table of this database. A table may have the same name.
    """

    def __init__(self, database: SqlDatabase, projection: str, target: str, *, apart: bool = False) -> None:
        self._database = database
        self.mine = (projection, f":{target}" if apart else target)
        self._told = (projection, target)
        self._mark = "?" if database.dialect == "sqlite" else "%s"
        self._sql = {name: sql.replace("?", self._mark) for name, sql in _statements(database).items()}

    def all(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        with self._database.reading() as connection:
            return self.within(connection)

    def within(self, connection: Connection, *, lock: bool = False) -> list[GenerationInfo]:
        """All generations, as a transaction sees them; `lock` holds them and their checkpoints until it ends."""
        lock = lock and self._database.dialect == "postgresql"
        return self._read(connection.exec_driver_sql(self._sql["lock" if lock else "list"], self.mine))

    def live(self, connection: Connection) -> GenerationInfo | None:
        """The live generation, held until the transaction ends; None where there is none, or it has just been replaced.

        Through the driver's cursor: it is asked within each append that is folded inline.
        """
        cursor = connection.connection.cursor()
        cursor.execute(self._sql["live"], self.mine)
        found = self._read(cursor.fetchall())
        return found[0] if found else None

    def _read(self, rows: Iterable[Any]) -> list[GenerationInfo]:
        found: dict[tuple[int, str, str, int, bool], list[Checkpoint]] = {}
        for number, state, fingerprint, made, paused, *checkpoint in rows:
            found.setdefault((number, state, fingerprint, made, bool(paused)), []).append(Checkpoint(*checkpoint))
        return [
            GenerationInfo(*self._told, number, state, fingerprint, tuple(checkpoints), made, paused)
            for (number, state, fingerprint, made, paused), checkpoints in found.items()
        ]

    def live_position(self, connection: Connection) -> tuple[int, int]:
        """Where the live generation stands, and how many events it has parked; 0 where there is none.

        Through the driver's cursor: it is asked before each read.
        """
        cursor = connection.connection.cursor()
        cursor.execute(self._sql["live_position"], self.mine)
        found = cursor.fetchone()
        return (0, 0) if found is None or found[0] is None else (int(found[0]), int(found[1]))

    def one(self, number: int) -> GenerationInfo:
        """A generation by its number.

        Raises:
            GenerationDropped: it is gone.
        """
        return self.chosen(self.all(), number)

    def chosen(self, known: Iterable[GenerationInfo], number: int) -> GenerationInfo:
        """The one of that number.

        Raises:
            GenerationDropped: it is not among them.
        """
        found = next((each for each in known if each.number == number), None)
        if found is None:
            raise GenerationDropped(*self._told, number)
        return found

    def insert(
        self,
        connection: Connection,
        number: int,
        state: str,
        fingerprint: str,
        partitions: int,
        position: int = 0,
    ) -> None:
        """Adds a generation whose partitions stand at a position."""
        now = _now()
        connection.exec_driver_sql(self._sql["insert"], (*self.mine, number, state, fingerprint, now))
        self._put(connection, number, [Checkpoint(each, position, 0, None, now) for each in range(partitions)])

    def set_state(self, connection: Connection, number: int, state: str) -> None:
        """Makes a generation live, retired or building."""
        connection.exec_driver_sql(self._sql["state"], (state, *self.mine, number))

    def replace(self, connection: Connection, number: int, checkpoints: Sequence[Checkpoint]) -> None:
        """Divides a generation into these partitions."""
        connection.exec_driver_sql(self._sql["forget"], (*self.mine, number))
        self._put(connection, number, checkpoints)

    def advance(self, connection: Connection, number: int, change: Change) -> bool:
        """Moves a partition's position, if it stands where the change begins; holds its row until the commit."""
        return self._advance(connection, number, change).rowcount == 1 and self._park(connection, number, change)

    def advance_held(self, connection: Connection, number: int, change: Change) -> None:
        """The same in a transaction that holds the generation, and knows where it stands: no answer is waited for."""
        self._advance(connection, number, change)
        self._park(connection, number, change)

    def _advance(self, connection: Connection, number: int, change: Change) -> Any:
        """Through the driver's cursor: it runs within each append that is folded inline."""
        now = _now()
        at = (*self.mine, number, change.partition)
        moved = (change.to_position, change.events, change.error, len(change.parked), change.events, now, now)
        cursor = connection.connection.cursor()
        cursor.execute(self._sql["advance"], (*moved, *at, change.from_position, change.epoch))
        return cursor

    def _park(self, connection: Connection, number: int, change: Change) -> bool:
        at = (*self.mine, number, change.partition)
        now = _now()
        if change.parked:
            rows = [(*at, each.key, each.position, each.error, each.attempts, now) for each in change.parked]
            connection.exec_driver_sql(self._sql["park"], rows)
        return True

    def parked(self, number: int) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        with self._database.reading() as connection:
            return self.parked_on(connection, number)

    def parked_on(self, connection: Connection, number: int) -> list[ParkedKey]:
        """The same, as a transaction sees it."""
        found = connection.exec_driver_sql(self._sql["parked"], (*self.mine, number))
        return sorted((ParkedKey(*row) for row in found), key=lambda each: each.position)

    def parked_events(self, number: int, key: str | None, position: int | None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        narrowed = [("key", key), ("position", position)]
        conditions = "".join(f" AND {name} = {self._mark}" for name, value in narrowed if value is not None)
        values = [value for _, value in narrowed if value is not None]
        statement = f"{self._sql['parked_events']}{conditions} ORDER BY position"
        with self._database.reading() as connection:
            return [Parked(*row) for row in connection.exec_driver_sql(statement, (*self.mine, number, *values))]

    def mend(self, connection: Connection, number: int, mended: Mended) -> bool:
        """Takes events from those that wait, if all of them do; holds the checkpoint's row, with a new epoch, until the commit.

        False where it may not be: the caller rolls back.
        """
        at, gone = (*self.mine, number, mended.partition), len(mended.gone)
        counted = (gone, gone if mended.discarded else 0, mended.events)
        fence, standing = self._sql["fence"], [mended.epoch]
        if mended.position is not None:
            fence, standing = f"{fence} AND position = {self._mark}", [*standing, mended.position]
        if connection.exec_driver_sql(fence, (*counted, *at, *standing)).rowcount != 1:
            return False
        taken = [
            connection.exec_driver_sql(self._sql["unpark"], (*at, mended.key, each)).rowcount for each in mended.gone
        ]
        if (still := mended.still) is not None:
            again = (still.error, still.attempts, *at, still.key, still.position)
            taken.append(connection.exec_driver_sql(self._sql["still"], again).rowcount)
        return all(each == 1 for each in taken)

    def pause(self, connection: Connection, *, paused: bool) -> None:
        """Lets nobody move any generation, or lets them again."""
        connection.exec_driver_sql(self._sql["resume"], self.mine)
        if paused:
            connection.exec_driver_sql(self._sql["pause"], (*self.mine, _now()))
            connection.exec_driver_sql(self._sql["interrupt"], self.mine)

    def lease(self, connection: Connection, number: int, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews the leases of those partitions that nobody else holds."""
        length = int(seconds * 1e6)
        rows = [(owner, owner, length, *self.mine, number, each, owner) for each in partitions]
        connection.exec_driver_sql(self._sql["lease"], rows)

    def release(self, connection: Connection, number: int, partitions: Sequence[int], owner: str) -> None:
        """Ends those of the leases that the owner holds."""
        rows = [(*self.mine, number, each, owner) for each in partitions]
        connection.exec_driver_sql(self._sql["release"], rows)

    def remove(self, connection: Connection, number: int) -> None:
        """Forgets a generation."""
        connection.exec_driver_sql(self._sql["forget_parked"], (*self.mine, number))
        connection.exec_driver_sql(self._sql["forget"], (*self.mine, number))
        connection.exec_driver_sql(self._sql["remove"], (*self.mine, number))

    def hold(self, connection: Connection) -> None:
        """Keeps other processes from making generations of this projection until the transaction ends."""
        if self._database.dialect == "postgresql":
            name = f"eventfold generations {' '.join(self.mine)}"
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))

    def _put(self, connection: Connection, number: int, checkpoints: Sequence[Checkpoint]) -> None:
        rows = [(*self.mine, number, *msgspec.structs.astuple(each)) for each in checkpoints]
        connection.exec_driver_sql(self._sql["put"], rows)


def _statements(database: SqlDatabase) -> dict[str, str]:
    """The statements by what they do; each takes the projection and the target."""
    generations = database.qualified(f"{database.prefix}generations")
    checkpoints = database.qualified(f"{database.prefix}checkpoints")
    parked = database.qualified(f"{database.prefix}parked")
    paused = database.qualified(f"{database.prefix}paused")
    joined = f"{generations} g JOIN {checkpoints} c USING (projection, target, number)"
    mine = "projection = ? AND target = ?"
    one, now = f"{mine} AND number = ? AND partition = ?", now_us(database.dialect)
    listing = (
        "SELECT number, g.state, g.fingerprint, g.made_at, "
        f"EXISTS (SELECT 1 FROM {paused} p WHERE p.projection = g.projection AND p.target = g.target), "
        "c.partition, c.position, c.events, c.error, c.updated_at, c.owner, c.epoch, c.until_us, c.parked, c.discarded, c.rate "
        f"FROM {joined} WHERE {mine} ORDER BY number, c.partition"
    )
    return {
        "list": listing,
        "lock": f"{listing} FOR UPDATE",
        "live": _live(database.dialect, listing),
        "live_position": f"SELECT min(c.position), sum(c.parked) FROM {joined} WHERE {mine} AND g.state = 'live'",
        "insert": f"INSERT INTO {generations} (projection, target, number, state, fingerprint, made_at) VALUES (?, ?, ?, ?, ?, ?)",
        "state": f"UPDATE {generations} SET state = ? WHERE {mine} AND number = ?",
        "remove": f"DELETE FROM {generations} WHERE {mine} AND number = ?",
        "forget": f"DELETE FROM {checkpoints} WHERE {mine} AND number = ?",
        "put": f"INSERT INTO {checkpoints} (projection, target, number, partition, position, events, error, updated_at, owner, "
        "epoch, until_us, parked, discarded, rate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "advance": f"UPDATE {checkpoints} SET position = ?, events = events + ?, error = ?, parked = parked + ?, "
        f"rate = (rate * {RATE_SECONDS} + ?) / ({RATE_SECONDS} + abs(? - updated_at) / 1000000.0), updated_at = ? "
        f"WHERE {one} AND position = ? AND epoch = ?",
        "lease": f"UPDATE {checkpoints} SET epoch = CASE WHEN owner = ? THEN epoch ELSE epoch + 1 END, owner = ?, "
        f"until_us = {now} + ? WHERE {one} AND (owner IS NULL OR owner = ? OR until_us <= {now})",
        "release": f"UPDATE {checkpoints} SET owner = NULL, until_us = 0 WHERE {one} AND owner = ?",
        "park": f"INSERT INTO {parked} (projection, target, number, partition, key, position, error, attempts, parked_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "parked": "SELECT partition, key, min(position), count(*), max(attempts), max(error), min(parked_at) "
        f"FROM {parked} WHERE {mine} AND number = ? GROUP BY partition, key",
        "parked_events": f"SELECT key, position, error, attempts, parked_at FROM {parked} WHERE {mine} AND number = ?",
        "fence": f"UPDATE {checkpoints} SET epoch = epoch + 1, parked = parked - ?, discarded = discarded + ?, "
        f"events = events + ? WHERE {one} AND epoch = ?",
        "unpark": f"DELETE FROM {parked} WHERE {one} AND key = ? AND position = ?",
        "still": f"UPDATE {parked} SET error = ?, attempts = ? WHERE {one} AND key = ? AND position = ?",
        "forget_parked": f"DELETE FROM {parked} WHERE {mine} AND number = ?",
        "pause": f"INSERT INTO {paused} (projection, target, paused_at) VALUES (?, ?, ?)",
        "resume": f"DELETE FROM {paused} WHERE {mine}",
        "interrupt": f"UPDATE {checkpoints} SET epoch = epoch + 1 WHERE {mine} AND number IN (SELECT g.number FROM {generations} g "
        f"WHERE g.projection = {checkpoints}.projection AND g.target = {checkpoints}.target AND g.state = 'live')",
    }


def _live(dialect: str, listing: str) -> str:
    found = listing.replace(" ORDER BY", " AND g.state = 'live' ORDER BY")
    return found if dialect == "sqlite" else f"{found} FOR UPDATE"


def _now() -> int:
    return time.time_ns() // 1000
