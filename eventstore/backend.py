"""What a database must do to hold the log. The store above it validates, encodes, gathers and wakes."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine

from eventstore.expected import ExpectedVersion
from eventstore.query import AppendCondition, Query
from eventstore.share import id_of, share_of
from eventstore.sql_database import SqlDatabase

if TYPE_CHECKING:
    from eventstore.companion import Companion
    from eventstore.log_import import LogImport
    from eventstore.snapshot import SnapshotTable

Row: TypeAlias = tuple[
    int, str, int, int, str, int, str, int | None, str | None, str | None, str | None, str | None, str
]
"""A stored event: position, stream, version, recorded_us, type, schema, event_id, occurred_us, correlation_id,
causation_id, metadata_json, tags_json, payload. `Recorded` has the same order."""

Payload: TypeAlias = tuple[str, str]
"""What a fold needs of a stored event: its label and its payload. Every further column would cost a load a tenth."""


def label_of(event_type: str, schema: int) -> str:
    """Type and schema version in one text; a type's name has no line break, so no two labels are the same."""
    return event_type if schema == 1 else f"{event_type}\n{schema}"


def node_of(label: str) -> tuple[str, int]:
    """The type and schema version that a label stands for."""
    event_type, _, schema = label.partition("\n")
    return event_type, int(schema) if schema else 1


PreparedRow: TypeAlias = tuple[str, int, str, int | None, str | None, str | None, str | None, str | None, str]
"""An event to be stored: a `Row` from `type` on."""


class StreamWrite(msgspec.Struct, frozen=True):
    """Validated and encoded events for one stream; without any, the stream is guarded: checked, and not written."""

    stream: str
    expected: ExpectedVersion
    rows: list[PreparedRow]
    tags: list[tuple[str, ...]] | None
    """The tags of each row, or None where no row has any."""


class WriteRequest(msgspec.Struct, frozen=True):
    """One caller's append: all of it is stored, or none."""

    writes: list[StreamWrite]
    """Those with events first: there is at least one."""
    condition: AppendCondition | None = None
    own_ids: bool = False
    """Whether the caller chose event ids, so that the request may be a repetition."""
    beside: tuple[object, ...] = ()
    """What companions write with it, each knows its own; see `eventstore.companion`."""

    @property
    def has_guards(self) -> bool:
        """Whether it depends on streams that it does not write."""
        return not self.writes[-1].rows


class Written(msgspec.Struct, frozen=True):
    """Where a request's events went.

    Attributes:
        position: of its last event.
        versions: of the streams written, and not of those guarded.
        apart: the positions of its events, in order, where others may stand between them; empty where none do.
    """

    position: int
    versions: dict[str, int]
    apart: tuple[int, ...] = ()


class LogFilter(msgspec.Struct, frozen=True):
    """Which events of the log are wanted; every part that is given must hold.

    Attributes:
        category: of the stream.
        stream: its whole name.
        query: over types and tags.
        since_us: recorded at or after this instant, microseconds since 1970 UTC.
        until_us: recorded at or before this instant.
        share: (number, of): only streams whose id is in this share; see `eventstore.share`. For backends that `divide` only.
    """

    category: str | None = None
    stream: str | None = None
    query: Query | None = None
    since_us: int | None = None
    until_us: int | None = None
    share: tuple[int, int] | None = None


class StreamRange(msgspec.Struct, frozen=True):
    """A part of one stream.

    Attributes:
        after_version: only versions above it.
        up_to_version: only versions up to it.
        up_to_position: only positions up to it.
        recorded_until_us: only events recorded at or before this instant.
        occurred_until_us: only events that occurred at or before this instant.
        backwards: newest first.
    """

    after_version: int = 0
    up_to_version: int | None = None
    up_to_position: int | None = None
    recorded_until_us: int | None = None
    occurred_until_us: int | None = None
    backwards: bool = False


class StreamInfo(msgspec.Struct, frozen=True):
    """A stream in a listing: its version and the instants of its first and last event (microseconds, UTC)."""

    stream: str
    version: int
    first_recorded_us: int
    last_recorded_us: int
    last_position: int


class StoredType(msgspec.Struct, frozen=True):
    """What the log holds of one type in one schema version; instants in microseconds since 1970 UTC.

    Attributes:
        type: the stored name.
        schema: the schema version.
        events: how many there are.
        first_position: of the first one.
        first_recorded_us: when it was recorded.
        last_position: of the last one.
        last_recorded_us: when it was recorded.
    """

    type: str
    schema: int
    events: int
    first_position: int
    first_recorded_us: int
    last_position: int
    last_recorded_us: int


class StalledAppend(msgspec.Struct, frozen=True):
    """An append in flight that subscriptions wait for.

    Attributes:
        pid: the database's process that holds it open.
        seconds: how long its transaction has been open.
        position: the position that readers cannot pass until it ends.
        state: what the process is doing, in the database's words.
    """

    pid: int
    seconds: float
    position: int
    state: str


class Backend(Protocol):
    """A database that holds the log. Implementations translate their driver's errors into `eventstore.errors`."""

    engine: Engine | None
    """The SQLAlchemy engine over the same database, where there is one."""

    sql: SqlDatabase | None
    """The same database for tables of other rooms, where it takes any."""

    snapshots: "SnapshotTable | None"
    """Where snapshots are kept, if the backend keeps any."""

    importer: "LogImport | None"
    """What makes a copy of another log in it, if the backend takes one."""

    divides: bool
    """Whether `log_page` understands `LogFilter.share`; where not, its readers leave out the other shares themselves."""

    description: str
    """The database for humans, without secrets: "SQLite bank.db"."""

    def commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Stores all requests in one transaction and returns each one's own result or own error, in order.

        Returns only after the transaction is durable. Raises only when no request was stored.
        """

    def commit_with(
        self, requests: Sequence[WriteRequest], companions: "Sequence[Companion]"
    ) -> list[Written | Exception]:
        """The same, and what companions write is in the transaction. One that refuses an append makes only that one fail."""

    def write_on(
        self, connection: Connection, request: WriteRequest, companions: "Sequence[Companion]" = ()
    ) -> Written:
        """Stores a request in the transaction that the caller has open on `connection`, and does not commit."""

    def excluding(self, connection: Connection | None, types: Iterable[str]) -> AbstractContextManager[None]:
        """Nobody else appends events of these types meanwhile, nor until the transaction of the connection has ended."""

    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        """Up to `limit` events of one stream."""

    def stream_payloads(self, stream: str, part: StreamRange, limit: int) -> list[Payload]:
        """What a fold needs of up to `limit` events of one stream."""

    def stream_version(self, stream: str) -> int:
        """The stream's version, 0 where it has no events."""

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` matching events with `after < position <= up_to`, oldest first (newest first if backwards)."""

    def log_page_on(
        self, connection: Connection | None, wanted: LogFilter, after: int, up_to: int, limit: int
    ) -> list[Row]:
        """The same, as the transaction of a connection sees it; None stands for the log in memory."""

    def horizon(self) -> int:
        """The position up to which the log is complete: nothing at or below it can still appear."""

    def first_recorded_after(self, instant_us: int) -> int:
        """The lowest position whose event was recorded after the instant, or the horizon + 1 where there is none."""

    def event_row(self, event_id: str) -> Row | None:
        """The event with this id."""

    def caused_rows(self, causation_ids: Sequence[str]) -> list[Row]:
        """The events that name one of these as their cause, in the order of the log."""

    def streams_page(self, after: str, category: str | None, limit: int) -> list[StreamInfo]:
        """Up to `limit` streams in the order of their names."""

    def count(self) -> int:
        """How many events the log holds."""

    def stored_types(self) -> list[StoredType]:
        """The types and schema versions that the log holds, in their order."""

    def stalled(self) -> list[StalledAppend]:
        """Appends in flight, the longest first."""

    def migrate(self) -> list[str]:
        """Brings the tables to the newest version and returns the names of the migrations applied."""

    def pending_migrations(self) -> list[str]:
        """The migrations that `migrate` would apply.

        Raises:
            SchemaTooNew: the database was migrated by a newer release.
        """

    def announce(self) -> None:
        """Wakes subscriptions of other processes; called after a commit, outside of its transaction."""

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` from a thread whenever another process announces. Returns what ends it."""

    def close(self) -> None:
        """Lets go of connections, threads and files."""


def matches(wanted: LogFilter, row: Row, tags: Sequence[str]) -> bool:
    """Whether an event is wanted: the reference for what the backends' SQL does."""
    return (
        (wanted.category is None or row[1].partition("-")[0] == wanted.category)
        and (wanted.stream is None or row[1] == wanted.stream)
        and (wanted.since_us is None or row[3] >= wanted.since_us)
        and (wanted.until_us is None or row[3] <= wanted.until_us)
        and (wanted.query is None or query_matches(wanted.query, row[4], tags))
        and (wanted.share is None or share_of(id_of(row[1]), wanted.share[1]) == wanted.share[0])
    )


def query_matches(query: Query, event_type: str, tags: Sequence[str]) -> bool:
    """Whether an event with this type and these tags matches one of the query's items."""
    return any(
        (not item.types or event_type in item.types) and all(tag in tags for tag in item.tags) for item in query.items
    )
