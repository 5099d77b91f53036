"""Appends to a PostgreSQL log: one round trip for one append, and one for a whole group of them.

The unique index over (stream, version) decides between processes: who comes second is told so by the database, looks
again, and is then either refused with the version that it finds or, where any version will do, stored behind it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import psycopg
from psycopg import errors as pg

from eventstore.backend import WriteRequest, Written
from eventstore.backends.postgresql.batch import Batch
from eventstore.backends.postgresql.connection import Cursor
from eventstore.backends.postgresql.guard import Name
from eventstore.backends.postgresql.lone import lone_statement
from eventstore.backends.postgresql.sql import Sql
from eventstore.backends.postgresql.wave import Chain, Numbered, next_wave
from eventstore.companion import Stored
from eventstore.errors import DuplicateEventId, EventfoldError, StoreBusy, StoreError, WrongExpectedVersion
from eventstore.expected import Expectation
from eventstore.repetition import first_result, rows_of

LOST_RACE = (pg.UniqueViolation, pg.DeadlockDetected)
INTRANS = psycopg.pq.TransactionStatus.INTRANS
RACES = 3
"""How often a whole group looks again before each of its requests is on its own."""

_ONE_AT_FAULT = (*LOST_RACE, psycopg.DataError, EventfoldError)


class Writer(NamedTuple):
    """Writes through one cursor.

    Attributes:
        cursor: in autocommit, or inside the caller's transaction.
        run: runs a statement of texts there, and returns its rows as texts.
        sql: the statements.
        translate: the driver's error as Eventfold's.
        busy_seconds: how long an append that loses every race is tried again.
        attempt: what surrounds each try: a savepoint inside a transaction, or a transaction.
        alone: names that nobody else may write before the transaction has ended.
        accompany: called within each try with the appends that are stored.
    """

    cursor: Cursor
    run: Callable[[str, Sequence[str | None]], Sequence[Sequence[str | None]]]
    sql: Sql
    translate: Callable[[BaseException], EventfoldError]
    busy_seconds: float
    attempt: Callable[[], AbstractContextManager[object]] = nullcontext
    alone: Collection[Name] = ()
    accompany: Callable[[Sequence[Stored]], None] | None = None

    def write_group(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Stores what is acceptable; each request gets its own result or its own error."""
        if len(requests) == 1:
            return [self._outcome(requests[0])]
        outcomes: dict[int, Written | Exception] = {}
        waiting: list[Numbered] = list(enumerate(requests))
        while waiting:
            chains, waiting = next_wave(waiting)
            settled = self._write_wave(chains)
            outcomes.update(settled)
            parts = [part for chain in chains for part in chain.parts]
            waiting = [part for part in parts if part[0] not in settled] + waiting
        return [outcomes[index] for index in range(len(requests))]

    def write(self, request: WriteRequest) -> Written:
        """Stores one request.

        Raises:
            WrongExpectedVersion, AppendConditionFailed, DuplicateEventId: nothing of the request was stored.
            StoreBusy: others were faster, every time.
        """
        if request.own_ids:
            rows_of(request)
        give_up = time.monotonic() + self.busy_seconds
        while True:
            try:
                with self.attempt():
                    return self._write_once(request)
            except LOST_RACE as error:
                if _id_is_taken(error):
                    return self._first_result(request)
                self._refuse_old_snapshot(request)
                lost: Exception = error
            except EventfoldError:
                if request.own_ids and (repeated := self._find_repetition(request)) is not None:
                    return repeated
                raise
            if time.monotonic() > give_up:
                raise self._too_often(request) from lost

    def _outcome(self, request: WriteRequest) -> Written | Exception:
        try:
            return self.write(request)
        except EventfoldError as error:
            return error
        except psycopg.Error as error:
            return self.translate(error)

    def _write_wave(self, chains: list[Chain]) -> dict[int, Written | Exception]:
        """What came of the requests; those that have to be tried in another wave are left out."""
        parts = [part for chain in chains for part in chain.parts]
        if len(parts) == 1:
            return {parts[0][0]: self._outcome(parts[0][1])}
        try:
            batch = Batch(chains, self.alone)
            outcomes = dict(self._race(batch, dict(parts)))
        except StoreError as error:  # of the database itself: nobody's fault, and no better one by one
            return dict.fromkeys((index for index, _ in parts), error)
        except _ONE_AT_FAULT:
            return {index: self._outcome(request) for index, request in parts}
        except psycopg.Error as error:
            return dict.fromkeys((index for index, _ in parts), self.translate(error))
        for index, request in parts:
            if request.own_ids and not isinstance(outcomes.get(index), Written):  # it may be stored already
                outcomes[index] = self._outcome(request)
        return outcomes

    def _write_once(self, request: WriteRequest) -> Written:
        lone = lone_statement(self.sql, request, self.alone)
        if lone is not None:
            version, position = (self.run(*lone) or [(None, None)])[0]
            if version is not None and position is not None:
                written = Written(int(position), {request.writes[0].stream: int(version)})
                self._accompany({0: written}, {0: request})
                return written
        outcomes = self._call(Batch([Chain((0, request))], self.alone), refused=lone is not None)
        self._accompany(outcomes, {0: request})
        found = outcomes.get(0)
        if isinstance(found, Exception):
            raise found
        return found or self._first_result(request)

    def _race(self, batch: Batch, requests: Mapping[int, WriteRequest]) -> Mapping[int, Written | Exception]:
        """A whole wave, and a few times more where another process was faster on one of the streams."""
        for _ in range(RACES):
            try:
                return self._try(batch, requests)
            except LOST_RACE as error:
                if _id_is_taken(error):
                    raise
        return self._try(batch, requests)

    def _try(self, batch: Batch, requests: Mapping[int, WriteRequest]) -> Mapping[int, Written | Exception]:
        with self.attempt():
            outcomes = self._call(batch)
            self._accompany(outcomes, requests)
        return outcomes

    def _accompany(self, outcomes: Mapping[int, Written | Exception], requests: Mapping[int, WriteRequest]) -> None:
        """What belongs to the appends that were stored is written with them."""
        if self.accompany is None:
            return
        stored = [Stored(requests[i], each) for i, each in outcomes.items() if isinstance(each, Written)]
        if stored:
            self.accompany(sorted(stored, key=lambda each: each.written.position))

    def _call(self, batch: Batch, *, refused: bool = False) -> Mapping[int, Written | Exception]:
        """Stores the whole batch or nothing. Who is not in the answer has an id that is taken, or was not at fault.

        Args:
            batch: the requests.
            refused: whether a shorter way has refused it already, so that the function has to say why.
        """
        if not refused and batch.plain and (rows := self.run(self.sql.append_plain, batch.plain_arguments())):
            versions, first, positions = rows[0]
            return batch.results(_integers(versions) or [], int(first or 0), _integers(positions))
        rows = self.run(self.sql.append, batch.arguments())
        versions, conflicts, first, positions, repeated = rows[0]
        if first is not None:
            return batch.results(_integers(versions) or [], int(first), _integers(positions))
        if repeated == "true":
            return {}
        found = None if conflicts is None else [None if each == "-" else int(each) for each in conflicts.split(",")]
        return batch.refusals(_integers(versions) or [], found)

    def _first_result(self, request: WriteRequest) -> Written:
        """What the first append returned, after the database has said that one of the ids is taken."""
        found = self._find_repetition(request)
        if found is None:
            write = request.writes[0]
            raise DuplicateEventId(write.rows[0][2], write.stream, "one of this append's ids is stored already")
        return found

    def _find_repetition(self, request: WriteRequest) -> Written | None:
        """The first result, where the same batch with the same ids is in the log already; None where no id is."""
        rows = rows_of(request)
        self.cursor.execute(self.sql.events_by_id, [",".join(row[2] for _, row in rows)], prepare=True)
        stored = {row[6]: row for row in self.cursor.fetchall()}
        return first_result(rows, [stored.get(row[2]) for _, row in rows])

    def _refuse_old_snapshot(self, request: WriteRequest) -> None:
        """A caller's transaction that keeps its first snapshot would lose every further race in the same way."""
        if self.cursor.connection.info.transaction_status is not INTRANS:
            return
        (level,) = self.cursor.execute("SHOW transaction_isolation").fetchall()[0]
        if level != "read committed":
            raise StoreBusy(
                f"stream {request.writes[0].stream!r}: others have appended since this transaction of level "
                f"{level.upper()} took its snapshot; nothing was stored. Roll it back and begin again, or begin it with "
                "READ COMMITTED."
            )

    def _too_often(self, request: WriteRequest) -> EventfoldError:
        for write in request.writes:
            if not isinstance(write.expected, Expectation):
                return WrongExpectedVersion(write.stream, write.expected, write.expected + 1)
        return StoreBusy(
            f"stream {request.writes[0].stream!r}: others appended first in every attempt for {self.busy_seconds:g} "
            "seconds; nothing was stored. Try again, or raise `busy_seconds`."
        )


def _integers(text: str | None) -> list[int] | None:
    return None if text is None else [int(each) for each in text.split(",")]


def _id_is_taken(error: psycopg.Error) -> bool:
    return (error.diag.constraint_name or "").endswith("events_id")
