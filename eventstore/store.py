"""The event store: append, read, subscribe."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar, cast

import msgspec

from eventstore.aggregate import Aggregate, category_of
from eventstore.backend import (
    Backend,
    LogFilter,
    StalledAppend,
    StoredType,
    StreamInfo,
    StreamRange,
    WriteRequest,
    Written,
)
from eventstore.bounds import check_instant, check_number
from eventstore.codec import Codec
from eventstore.companion import Companion
from eventstore.errors import InvalidInput, NotFound
from eventstore.expected import ANY, ExpectedVersion
from eventstore.fork import LeftBackend, watch
from eventstore.group_commit import GroupCommit
from eventstore.identifier import check_event_id
from eventstore.joined_transaction import OpenTransaction, after_commit, joined
from eventstore.loading import Loaded
from eventstore.new_event import Appended, StreamAppend
from eventstore.preparation import event_ids, prepare, prepare_one
from eventstore.query import AppendCondition
from eventstore.reading import PAGE, check_paging, log_filter, read_log, read_stream
from eventstore.recorded import Recorded, to_datetime
from eventstore.same_database import check_same
from eventstore.signal import Signal
from eventstore.snapshots import NOW, Snapshots
from eventstore.stream import check_category, check_stream_name, stream_name

A = TypeVar("A", bound=Aggregate[Any])

MAX_PAYLOAD = 1 << 20


class EventStore:
    """The append-only log over one backend. Safe to share among threads.

    Args:
        backend: the database, already migrated; `open_store` makes one from a URL.
        events: the event classes that reads decode; others are read as `UnknownEvent`.
        max_payload: the largest encoded event accepted, in bytes.
        cache_states: how many aggregates' states are held in memory; a load then reads only what has come since.
    """

    def __init__(
        self, backend: Backend, *, events: Any = (), max_payload: int = MAX_PAYLOAD, cache_states: int = 0
    ) -> None:
        self.backend = backend
        self.snapshots = Snapshots(backend, check_number("cache_states", cache_states))
        self.codec = Codec(events)
        self.max_payload = check_number("max_payload", max_payload, least=1)
        self.signal = Signal()
        self._group: GroupCommit[WriteRequest, Written] = GroupCommit(self._commit)
        self._stop_listening: Any = None
        self._companions: tuple[Companion, ...] = ()
        if backend.sql is not None:
            watch(self)

    # -- append ----------------------------------------------------------------------------------------------------

    def append(
        self,
        stream: str,
        events: Sequence[Any],
        *,
        expected: ExpectedVersion = ANY,
        condition: AppendCondition | None = None,
        connection: OpenTransaction | None = None,
    ) -> Appended:
        """Appends events to one stream: all of them, or none.

        Args:
            stream: `category-id`.
            events: at least one, plain or as `NewEvent`.
            expected: the version that the stream must be at.
            condition: a query that nothing may match after a position.
            connection: a transaction that the caller has open on the same database, and commits himself.

        Raises:
            WrongExpectedVersion, AppendConditionFailed, DuplicateEventId: the log has moved on; nothing was stored.
            InvalidInput: an argument is not acceptable; nothing was stored.
            StoreError: the database refused or is gone.
        """
        request = self._prepare_one(stream, events, expected, condition)
        if connection is None:
            return _appended(request, self._group.submit(request))
        return self._append_on(connection, request)

    def append_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        condition: AppendCondition | None = None,
        connection: OpenTransaction | None = None,
        beside: tuple[object, ...] = (),
    ) -> Appended:
        """Appends to several streams at once: all of it is stored, or nothing. See `append`.

        A stream without events is guarded: its expected version must hold, and nothing is written to it. So a decision
        that read it is stored only where it has not moved, whoever else appends at the same time.

        Args:
            appends: the streams, each with its events and expected version.
            condition: a query that nothing may match after a position.
            connection: a transaction that the caller has open on the same database, and commits himself.
            beside: what companions of the log write in the same transaction.
        """
        request = self._prepare(appends, condition, beside)
        if connection is None:
            return _appended(request, self._group.submit(request))
        return self._append_on(connection, request)

    def _append_on(self, connection: OpenTransaction, request: WriteRequest) -> Appended:
        transaction = joined(connection)
        if self.backend.sql is not None:
            check_same(self.backend.sql, transaction)
        written = self.backend.write_on(transaction, request, self._concerned([request]))
        after_commit(transaction, self.announce)
        return _appended(request, written)

    async def append_async(
        self,
        stream: str,
        events: Sequence[Any],
        *,
        expected: ExpectedVersion = ANY,
        condition: AppendCondition | None = None,
    ) -> Appended:
        """`append` for an asyncio task: many tasks share one transaction, and the event loop stays free."""
        request = self._prepare_one(stream, events, expected, condition)
        return _appended(request, await self._group.submit_async(request))

    async def append_all_async(
        self,
        appends: Sequence[StreamAppend],
        *,
        condition: AppendCondition | None = None,
        beside: tuple[object, ...] = (),
    ) -> Appended:
        """`append_all` for an asyncio task: many tasks share one transaction, and the event loop stays free."""
        request = self._prepare(appends, condition, beside)
        written = await self._group.submit_async(request)
        return _appended(request, written)

    def _prepare(
        self, appends: Sequence[StreamAppend], condition: AppendCondition | None, beside: tuple[object, ...]
    ) -> WriteRequest:
        """Validated and encoded; the condition asks for the older names of its types, too."""
        request = prepare(appends, condition, max_payload=self.max_payload)
        if beside:
            request = msgspec.structs.replace(request, beside=beside)
        return request if condition is None else self._with_older_names(request, condition)

    def _prepare_one(
        self, stream: str, events: Sequence[Any], expected: ExpectedVersion, condition: AppendCondition | None
    ) -> WriteRequest:
        request = prepare_one(stream, events, expected, condition, max_payload=self.max_payload)
        return request if condition is None else self._with_older_names(request, condition)

    def _with_older_names(self, request: WriteRequest, condition: AppendCondition) -> WriteRequest:
        query = self.codec.lineage.stored(condition.query)
        if query is condition.query:
            return request
        return msgspec.structs.replace(request, condition=AppendCondition(query, condition.after))

    def _commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        """Commits a group and wakes its readers once."""
        if self._companions and (companions := self._concerned(requests)):
            outcomes = self.backend.commit_with(requests, companions)
        else:
            outcomes = self.backend.commit(requests)
        for outcome in outcomes:
            if type(outcome) is Written:
                self.signal.ring()
                self.backend.announce()
                break
        return outcomes

    def accompany(self, companion: Companion, *, first: bool = False) -> None:
        """From now on, a companion writes rows of other tables in the transaction of each append that concerns it.

        Appends that concern none take the same way as without any.

        Args:
            companion: what writes.
            first: before the others, since it can take back what it has written where they refuse; see `Companion.forget`.
        """
        self._companions = (companion, *self._companions) if first else (*self._companions, companion)

    def _concerned(self, requests: Sequence[WriteRequest]) -> tuple[Companion, ...]:
        return tuple([each for each in self._companions if any(each.concerns(request) for request in requests)])

    def announce(self) -> None:
        """Wakes whoever waits for news of the log, in this process and in others."""
        self.signal.ring()
        self.backend.announce()

    # -- read ------------------------------------------------------------------------------------------------------

    def read_stream(
        self,
        stream: str,
        *,
        after_version: int = 0,
        up_to_version: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        page_size: int = PAGE,
        codec: Codec | None = None,
    ) -> Iterator[Recorded[Any]]:
        """The events of a stream in the order of their versions, or newest first; holds one page in memory.

        Args:
            stream: its whole name.
            after_version: only versions above it.
            up_to_version: only versions up to it.
            backwards: newest first.
            limit: at most so many events, and the rest of what one stored event was upcast into.
            page_size: how many events are fetched at once.
            codec: decodes in place of the store's own.
        """
        check_number("after_version", after_version)
        if up_to_version is not None:
            check_number("up_to_version", up_to_version)
        check_paging(limit, page_size)
        part = StreamRange(after_version, up_to_version, backwards=backwards)
        return read_stream(
            self.backend, codec or self.codec, check_stream_name(stream, system=True), part, limit, page_size
        )

    def read_log(
        self,
        *,
        after: int = 0,
        up_to: int | None = None,
        wanted: LogFilter | None = None,
        backwards: bool = False,
        limit: int | None = None,
        page_size: int = PAGE,
        codec: Codec | None = None,
        **filters: Any,
    ) -> Iterator[Recorded[Any]]:
        """The events of the log in the order of their positions, or newest first; holds one page in memory.

        Reads up to where the log was complete when the reading began. What the database can filter, it does.

        Args:
            after: only positions above it.
            up_to: only positions up to it.
            wanted: a filter made with `log_filter`, in place of `filters`.
            backwards: newest first.
            limit: at most so many events, and the rest of what one stored event was upcast into.
            page_size: how many events are fetched at once.
            codec: decodes in place of the store's own.
            filters: `category`, `stream`, `types`, `tags`, `query`, `since`, `until`, as for `log_filter`.
        """
        check_number("after", after)
        if up_to is not None:
            check_number("up_to", up_to)
        check_paging(limit, page_size)
        if wanted is not None and filters:
            raise InvalidInput(f"filter: expected either wanted, or its parts, got wanted and {', '.join(filters)}")
        chosen = wanted if wanted is not None else log_filter(**filters)
        bounds = (after, up_to)
        return read_log(self.backend, codec or self.codec, chosen, bounds, limit, page_size, backwards=backwards)

    def load(self, aggregate: type[A], stream_id: str, part: StreamRange = NOW) -> Loaded[A]:
        """The state of an aggregate, now or at a `moment`. See `load_stream`."""
        return self.load_stream(aggregate, stream_name(category_of(aggregate), stream_id), part)

    def load_stream(self, aggregate: type[A], stream: str, part: StreamRange = NOW) -> Loaded[A]:
        """The state of a stream, now or at a `moment`. Begins with the nearest snapshot, where there is one.

        Raises:
            UnreadableEvent: an event that is folded is one that the aggregate does not declare or cannot decode.
        """
        return self.snapshots.load(aggregate, check_stream_name(stream, system=True), part)

    def event(self, event_id: str) -> Recorded[Any]:
        """The event with this id; the first of them, where it was upcast into several.

        Raises:
            NotFound: there is none, or an upcaster drops it.
        """
        row = self.backend.event_row(check_event_id(event_id))
        if row is None:
            raise NotFound(f"no event has the id {event_id}. `eventfold events list` shows the events there are.")
        found = self.codec.decode([row])
        if not found:
            raise NotFound(f"the event {event_id} is stored as {row[4]} {row[5]}, which an upcaster drops")
        return found[0]

    def stream_version(self, stream: str) -> int:
        """The version of a stream: the number of its events, 0 where it has none."""
        return self.backend.stream_version(check_stream_name(stream, system=True))

    def streams(
        self, *, category: str | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[StreamInfo]:
        """The streams in the order of their names.

        Args:
            category: only those of this category.
            after: only names after this one.
            limit: at most so many.
        """
        if category is not None:
            check_category(category)
        if after:
            check_stream_name(after, system=True)
        elif after != "":
            raise InvalidInput(f"after: expected the name of a stream, got {after!r}")
        check_paging(limit, PAGE)
        return self._streams(category, after, limit)

    def _streams(self, category: str | None, after: str, limit: int | None) -> Iterator[StreamInfo]:
        left = limit
        while left is None or left > 0:
            page = self.backend.streams_page(after, category, PAGE if left is None else min(left, PAGE))
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].stream
            left = None if left is None else left - len(page)

    def head(self) -> int:
        """The position up to which the log is complete; 0 where it is empty."""
        return self.backend.horizon()

    def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant; 0 where there is none."""
        return self.backend.first_recorded_after(check_instant("instant", instant)) - 1

    def instant_of(self, position: int) -> datetime:
        """When the event at a position, or the next one below it, was recorded.

        Raises:
            NotFound: there is none.
        """
        check_number("position", position)
        rows = self.backend.log_page(LogFilter(), 0, position, 1, backwards=True)
        if not rows:
            raise NotFound(f"position {position}: expected one between 1 and {self.head()}, the log's head")
        return to_datetime(rows[0][3])

    def stored_types(self) -> list[StoredType]:
        """The types and schema versions that the log holds, under their stored names; looks through all of it."""
        return self.backend.stored_types()

    def stalled_appends(self) -> list[StalledAppend]:
        """Appends in flight that hold subscriptions back, the longest first."""
        return self.backend.stalled()

    # -- live ------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Begins to hear of appends by other processes. Subscriptions call it; calling it again does nothing."""
        if self._stop_listening is None:
            self._stop_listening = self.backend.listen(self.signal.ring)

    def close(self) -> None:
        """Waits for appends under way and lets go of the database."""
        self._group.close()
        self.snapshots.close()
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        self.backend.close()

    def leave_to_parent(self) -> object:
        """In a forked child: refuses from now on, since the connections, threads and locks are the parent's."""
        left: object = self.backend, self.snapshots, self.signal, self._group, self._stop_listening
        if self.backend.sql is not None:
            left = left, self.backend.sql.leave_to_parent()
            self.backend = cast("Backend", LeftBackend(self.backend.description))
        self.snapshots = Snapshots(self.backend)
        self.signal, self._group, self._stop_listening = Signal(), GroupCommit(self._commit), None
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _appended(request: WriteRequest, written: Written) -> Appended:
    return Appended(written.position, written.versions, event_ids(request))
