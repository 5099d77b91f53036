"""The log in memory: gone with the process."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from eventstore.backend import (
    LogFilter,
    Payload,
    Row,
    StalledAppend,
    StoredType,
    StreamInfo,
    StreamRange,
    WriteRequest,
    Written,
    label_of,
    matches,
    query_matches,
)
from eventstore.backends.memory.snapshots import MemorySnapshots
from eventstore.companion import Companion, Stored
from eventstore.errors import AppendConditionFailed, EventfoldError, Unsupported
from eventstore.expected import verify_expected
from eventstore.repetition import first_result, rows_of


class MemoryBackend:
    """Holds the log in a list."""

    engine = None
    sql = None
    importer = None
    description = "memory"

    divides = True

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a companion reads the log while an append is under way
        self._log: list[Row] = []
        self._tags: list[tuple[str, ...]] = []
        self._streams: dict[str, list[Row]] = {}
        self._ids: dict[str, Row] = {}
        self.snapshots = MemorySnapshots(self.stream_page)

    def commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Stores all requests; each gets its own result or error."""
        return self.commit_with(requests, ())

    def commit_with(
        self, requests: Sequence[WriteRequest], companions: Sequence[Companion]
    ) -> list[Written | Exception]:
        """Stores all requests, each with what companions write."""
        outcomes: list[Written | Exception] = []
        with self._lock:
            for request in requests:
                try:
                    outcomes.append(self._write_with(request, companions))
                except EventfoldError as error:
                    outcomes.append(error)
        return outcomes

    def _write_with(self, request: WriteRequest, companions: Sequence[Companion]) -> Written:
        before = len(self._log)
        written = self._write(request)
        if len(self._log) > before:  # otherwise it was stored before
            try:
                _accompany(companions, Stored(request, written))
            except BaseException:
                self._take_back(len(self._log) - before)
                raise
        return written

    def _take_back(self, count: int) -> None:
        for _ in range(count):
            row = self._log.pop()
            self._tags.pop()
            self._streams[row[1]].pop()
            del self._ids[row[6]]

    @contextmanager
    def excluding(self, _connection: Connection | None, _types: Iterable[str]) -> Iterator[None]:
        """Nobody appends anything meanwhile."""
        with self._lock:
            yield

    def write_on(self, connection: Connection, request: WriteRequest, companions: Sequence[Companion] = ()) -> Written:
        """Refused: there is no database to share a transaction with."""
        raise Unsupported(
            "memory: there is no transaction to append in; use SQLite or PostgreSQL, or leave out connection="
        )

    def _write(self, request: WriteRequest) -> Written:
        if request.own_ids:
            rows = rows_of(request)
            repeated = first_result(rows, [self._ids.get(row[2]) for _, row in rows])
            if repeated is not None:
                return repeated
        self._check_condition(request)
        for each in request.writes:
            verify_expected(each.stream, each.expected, len(self._streams.get(each.stream, ())))
        now = max(time.time_ns() // 1000, self._log[-1][3] if self._log else 0)
        versions = {}
        for each in request.writes:
            if not each.rows:
                continue
            stream = self._streams.setdefault(each.stream, [])
            for i, prepared in enumerate(each.rows):
                row: Row = (len(self._log) + 1, each.stream, len(stream) + 1, now, *prepared)
                self._log.append(row)
                self._tags.append(each.tags[i] if each.tags else ())
                stream.append(row)
                self._ids[row[6]] = row
            versions[each.stream] = len(stream)
        return Written(len(self._log), versions)

    def _check_condition(self, request: WriteRequest) -> None:
        if request.condition is None:
            return
        after = request.condition.after
        for row, tags in zip(self._log[after:], self._tags[after:], strict=True):
            if query_matches(request.condition.query, row[4], tags):
                raise AppendConditionFailed(after, row[0])

    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        """Up to `limit` events of one stream."""
        with self._lock:
            rows = self._streams.get(stream, [])[part.after_version : part.up_to_version]
        found = [row for row in (reversed(rows) if part.backwards else rows) if _within(part, row)]
        return found[:limit]

    def stream_payloads(self, stream: str, part: StreamRange, limit: int) -> list[Payload]:
        """What a fold needs of up to `limit` events of one stream."""
        return [(label_of(row[4], row[5]), row[12]) for row in self.stream_page(stream, part, limit)]

    def stream_version(self, stream: str) -> int:
        """The stream's version, 0 where it has no events."""
        with self._lock:
            return len(self._streams.get(stream, ()))

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` matching events between two positions."""
        found = []
        span = range(max(after, 0), min(up_to, self.horizon()))
        for i in reversed(span) if backwards else span:
            if matches(wanted, self._log[i], self._tags[i]):
                found.append(self._log[i])
                if len(found) == limit:
                    break
        return found

    def log_page_on(
        self, _connection: Connection | None, wanted: LogFilter, after: int, up_to: int, limit: int
    ) -> list[Row]:
        """The same, for a companion of an append."""
        return self.log_page(wanted, after, up_to, limit)

    def horizon(self) -> int:
        """The last position; the lock keeps an append that is half done out of sight."""
        with self._lock:
            return len(self._log)

    def first_recorded_after(self, instant_us: int) -> int:
        """The lowest position recorded after the instant."""
        end = self.horizon()
        return next((row[0] for row in self._log[:end] if row[3] > instant_us), end + 1)

    def event_row(self, event_id: str) -> Row | None:
        """The event with this id."""
        return self._ids.get(event_id)

    def caused_rows(self, causation_ids: Sequence[str]) -> list[Row]:
        """The events that name one of these as their cause."""
        wanted = set(causation_ids)
        with self._lock:
            return [row for row in self._log if row[9] in wanted]

    def streams_page(self, after: str, category: str | None, limit: int) -> list[StreamInfo]:
        """Up to `limit` streams in the order of their names."""
        with self._lock:
            names = sorted(
                name
                for name in self._streams
                if name > after and (category is None or name.partition("-")[0] == category)
            )
            infos = []
            for name in names[:limit]:
                rows = self._streams[name]
                infos.append(StreamInfo(name, len(rows), rows[0][3], rows[-1][3], rows[-1][0]))
            return infos

    def count(self) -> int:
        """How many events the log holds."""
        return self.horizon()

    def stored_types(self) -> list[StoredType]:
        """The types and schema versions that the log holds."""
        groups: dict[tuple[str, int], list[Row]] = {}
        for row in self._log[: self.horizon()]:
            groups.setdefault((row[4], row[5]), []).append(row)
        return [
            StoredType(*node, len(rows), rows[0][0], rows[0][3], rows[-1][0], rows[-1][3])
            for node, rows in sorted(groups.items())
        ]

    def stalled(self) -> list[StalledAppend]:
        """None: an append is over before it is seen."""
        return []

    def migrate(self) -> list[str]:
        """Nothing to do."""
        return []

    def pending_migrations(self) -> list[str]:
        """None."""
        return []

    def announce(self) -> None:
        """Nobody else can see this log."""

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Nobody else can write to this log."""
        return lambda: None

    def close(self) -> None:
        """Keeps the log: a store may be opened over it again."""


def _within(part: StreamRange, row: Row) -> bool:
    occurred = row[3] if row[7] is None else row[7]
    return (
        (part.up_to_position is None or row[0] <= part.up_to_position)
        and (part.recorded_until_us is None or row[3] <= part.recorded_until_us)
        and (part.occurred_until_us is None or occurred <= part.occurred_until_us)
    )


def _accompany(companions: Sequence[Companion], stored: Stored) -> None:
    """Lets each companion write what belongs to an append; where one refuses it, those before it take theirs back."""
    done: list[Companion] = []
    try:
        for each in companions:
            if each.concerns(stored.request):
                each.write(None, [stored])
                done.append(each)
    except BaseException:
        for each in reversed(done):
            each.forget([stored])
        raise
