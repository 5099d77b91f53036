"""The snapshots of a store: loads begin with them, and appends leave them behind."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from eventstore.aggregate import Aggregate, codec_for, policy_of
from eventstore.backend import Backend, StreamRange
from eventstore.errors import DefinitionError, Unsupported
from eventstore.loading import LOAD_PAGE, Folded, Loaded, fold_stream
from eventstore.new_event import Appended, NewEvent, StreamAppend
from eventstore.snapshot import decode_state, kind_of
from eventstore.snapshot_writer import SnapshotWriter, Work
from eventstore.state_cache import Cached, StateCache

A = TypeVar("A", bound=Aggregate[Any])
NOW = StreamRange()

log = logging.getLogger("eventfold.snapshots")


class Taken(NamedTuple):
    """What came of taking a snapshot: the version of the stream, 0 where it has no events; and whether one was written."""

    version: int
    written: bool


class Snapshots:
    """What a store knows about snapshots. Safe to share among threads.

    Args:
        backend: the log's database, which keeps the snapshots too.
        cache_states: how many states are held in memory.
    """

    def __init__(self, backend: Backend, cache_states: int = 0) -> None:
        self._backend = backend
        self.table = backend.snapshots
        self.cache = StateCache(cache_states)
        self._writer = SnapshotWriter(self.table) if self.table is not None else None

    def load(self, aggregate: type[A], stream: str, part: StreamRange = NOW) -> Loaded[A]:
        """The state of a stream, or of the part of it that existed at a `moment`, from as few events as possible.

        Raises:
            UnreadableEvent: an event that is folded is one that the aggregate does not declare or cannot decode.
        """
        policy = policy_of(aggregate)
        begun = time.perf_counter()
        found = self._from_cache(aggregate, stream) if part == NOW and self.cache.size else None
        if found is None and policy is not None:
            found = self._from_table(aggregate, stream, part)
        if found is None:
            found = Cached(fold_stream(self._backend, aggregate, stream, part), 0)
        if part == NOW:
            self.cache.put(aggregate, stream, found)
        allowed = policy.slower_than if policy is not None else None
        slow = allowed is not None and time.perf_counter() - begun > allowed
        folded = found.folded
        return Loaded(folded.state, stream, folded.version, folded.position, found.snapshot, slow)

    def _from_cache(self, aggregate: type[Aggregate[Any]], stream: str) -> Cached | None:
        """The state in memory and what has come since; None where the log does not hold the event that it ends with."""
        cached = self.cache.get(aggregate, stream)
        if cached is None:
            return None
        state, version, position, event_id = cached.folded
        rows = self._backend.stream_page(stream, StreamRange(after_version=version - 1), LOAD_PAGE)
        if not rows or (rows[0][0], rows[0][6]) != (position, event_id):
            self.cache.drop(aggregate, stream)
            return None
        for event in codec_for(aggregate).decode_events(rows[1:]):
            state = state.evolve(event)
        folded = Folded(state, rows[-1][2], rows[-1][0], rows[-1][6])
        if len(rows) == LOAD_PAGE:
            folded = fold_stream(self._backend, aggregate, stream, NOW, folded)
        return Cached(folded, cached.snapshot)

    def _from_table(self, aggregate: type[Aggregate[Any]], stream: str, part: StreamRange) -> Cached | None:
        """The nearest snapshot in the part, and what follows it there; None where there is none to be used."""
        if self.table is None or part.occurred_until_us is not None:
            return None  # business time does not follow the versions
        found = self.table.begin(stream, kind_of(aggregate), part, LOAD_PAGE)
        if found is None:
            return None
        text, at, tail, end = found
        try:
            state = decode_state(aggregate, text)
        except ValueError as error:
            log.warning("the snapshot of %s at version %s is passed over: %s", stream, at.version, error)
            return None
        events = codec_for(aggregate).decode_payloads(tail)
        if events is None or len(tail) == LOAD_PAGE:
            return Cached(fold_stream(self._backend, aggregate, stream, part, Folded(state, *at)), at.version)
        for event in events:
            state = state.evolve(event)
        return Cached(Folded(state, *end), at.version)

    def after_append(
        self,
        loaded: Mapping[str, tuple[type[Aggregate[Any]], Loaded[Any]]],
        appends: Sequence[StreamAppend],
        appended: Appended,
    ) -> dict[str, int]:
        """Has snapshots written where the policies want them, in the background.

        Args:
            loaded: for each stream, the aggregate and what was loaded before the append.
            appends: what was appended, to exactly the versions that were loaded.
            appended: what came of it.

        Returns:
            For each stream that was loaded and written, the version of its newest snapshot, which may be on its way.
        """
        count, newest = 0, {}
        for each in appends:
            count += len(each.events)
            if each.stream in loaded:
                aggregate, before = loaded[each.stream]
                newest[each.stream] = self._offer(aggregate, before, each.events, appended.event_ids[count - 1])
        return newest

    def _offer(self, aggregate: type[Aggregate[Any]], before: Loaded[Any], new: Sequence[Any], event_id: str) -> int:
        policy, version = policy_of(aggregate), before.version + len(new)
        if policy is None or self._writer is None or not policy.is_due(version - before.snapshot, slow=before.slow):
            return before.snapshot
        events = [each.event if isinstance(each, NewEvent) else each for each in new]
        if not self._writer.offer(aggregate, before.stream, Work(before.state, events, version, event_id)):
            return before.snapshot
        self.cache.note_snapshot(aggregate, before.stream, version)
        return version

    def take(self, aggregate: type[Aggregate[Any]], stream: str, least: int = 1) -> Taken:
        """Writes a snapshot of a stream as it is now, unless there is one, and waits for it.

        Args:
            aggregate: its class.
            stream: the stream's name.
            least: only where so many events have come since the last one.

        Raises:
            DefinitionError: the aggregate declares no snapshots.
            UnfitState: the state would not read back equal.
            StoreError: the database refused, or keeps no snapshots.
        """
        if policy_of(aggregate) is None:
            raise DefinitionError(
                f"{aggregate.__qualname__} has no snapshots: declare `snapshots=SnapshotPolicy()` on the class"
            )
        if self._writer is None:
            raise Unsupported(f"{self._backend.description}: this backend keeps no snapshots")
        found = self._from_table(aggregate, stream, NOW)
        folded = found.folded if found is not None else fold_stream(self._backend, aggregate, stream, NOW)
        if folded.version - (found.snapshot if found is not None else 0) < least:
            return Taken(folded.version, written=False)
        written = self._writer.write_now(aggregate, stream, folded.state, folded.version, folded.event_id)
        if written:
            self.cache.note_snapshot(aggregate, stream, folded.version)
        return Taken(folded.version, written)

    def flush(self) -> None:
        """Waits until every snapshot that is due has been written."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Writes what is due."""
        if self._writer is not None:
            self._writer.close()
