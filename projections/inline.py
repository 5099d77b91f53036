"""Inline projections: each event is folded in the transaction of its own append.

Rows, position and events are committed together, or not at all. Nobody else appends an event of the projection's types meanwhile,
so rows are folded in the order of positions, and what was appended without being folded, by a process that does not know the
projection, is seen and folded first. See ADR 0021.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from eventstore import EventStore, Recorded, StoreBusy, StoreUnavailable
from eventstore.backend import Backend, LogFilter, Row, WriteRequest
from eventstore.codec import Codec, codec_of
from eventstore.companion import Insert, Stored
from eventstore.log_reader import LogReader
from eventstore.sql_database import SqlDatabase
from projections.composite import ReadRows, fold_batch, park_batch
from projections.errors import GenerationDropped, InlineFailed, ProjectionFailed
from projections.fold import Folded
from projections.parked import read_key
from projections.partition import Partition
from projections.refusal import is_of_rows
from projections.row_cache import RowCache
from projections.target import Change, Checkpoint, GenerationInfo, Joined, live_of
from projections.track import Track
from projections.wanted import wanted_to_fold

MISSED = 10_000
"""So many events that were appended without being folded are folded with the next append. More are left to workers, and to whoever
waits for them: they would keep the log's writers waiting."""


class LogOn:
    """The log as the transaction of a connection sees it, for a `LogReader`."""

    def __init__(self, backend: Backend, connection: Connection | None) -> None:
        self.divides = backend.divides
        self._backend, self._connection = backend, connection

    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` matching events between two positions."""
        assert not backwards  # noqa: S101 - nobody asks for it
        return self._backend.log_page_on(self._connection, wanted, after, up_to, limit)


class InlineTrack:
    """A projection that is folded with the appends.

    Args:
        store: the log.
        track: the projection and its target.
    """

    def __init__(self, store: EventStore, track: Track) -> None:
        self.track = track
        self._store = store
        self._codec: Codec = codec_of(track.projection.events_read)
        self._wanted = wanted_to_fold([track.projection])
        query = self._wanted.query
        assert query is not None  # noqa: S101 - `wanted_to_fold` has made it
        stored = self._codec.lineage.stored(query)
        self.types = frozenset(name for item in stored.items for name in item.types)

    def plan(self, connection: Connection | None, stored: Sequence[Stored]) -> list["Plan"]:
        """What is to be written with these appends; nothing where the rows are not to be moved now.

        Raises:
            InlineFailed: the fold refuses one of the events.
        """
        track, fingerprint = self.track, self.track.projection.fingerprint
        target: Any = track.target
        live: GenerationInfo = target.live_on(connection, fingerprint)
        if live.paused or live.fingerprint != fingerprint:
            return []
        own = {row[2] for each in stored for write in each.request.writes for row in write.rows}
        return self._plans(connection, live, stored[-1].written.position, own) or []

    def _plans(
        self, connection: Connection | None, info: GenerationInfo, end: int, own: set[str] | None
    ) -> list["Plan"] | None:
        """What is missing in a generation up to a position; None where that is too much."""
        target: Any = self.track.target
        generation: Joined = target.generation(info.number).on(connection)
        log: Any = LogOn(self._store.backend, connection)
        found = []
        for at in info.checkpoints:
            if at.position < end:
                partition = Partition(at.partition, len(info.checkpoints))
                reader = LogReader(log, self._codec, wanted_to_fold([self.track.projection], partition))
                rows, reached = reader.page(at.position, end, MISSED + len(own or ()))
                if reached < end:
                    return None
                found.append(Plan(self.track, generation, at, partition, reader.decode(rows), own, end))
        return found

    def swap(self, connection: Connection | None, number: int) -> bool:
        """Makes a generation the live one, with all that the former one contains, while nobody appends.

        Returns:
            False, and nothing is changed, where too much has come since it was built, or somebody moves it.

        Raises:
            GenerationDropped: it is gone.
            ProjectionFailed: the fold raised.
        """
        target: Any = self.track.target
        for view in getattr(target, "views", ()):
            view.hold(connection)  # may wait for a refresh, and nobody who appends is to wait for that
        with self._store.backend.excluding(connection, self.types):
            known: list[GenerationInfo] = target.held(connection)
            chosen = next((each for each in known if each.number == number), None)
            if chosen is None:
                raise GenerationDropped(self.track.projection.name, self.track.name, number)
            live = live_of(known) or chosen
            plans = self._plans(connection, chosen, max(live.furthest, chosen.furthest), None)
            if plans is None or not all(each.apply() for each in plans):
                return False
            generation = target.generation(number)
            return bool(target.swap_on(connection, generation, partitions=self.track.partitions))


class Plan:
    """What is folded into one partition within a transaction, and not written yet.

    Args:
        track: the projection and its target.
        generation: where the rows are.
        at: where the partition stands.
        partition: whose keys are folded.
        events: what comes after it.
        own: the ids of those that are being appended; the others were appended before, and not folded. None in a rebuild.
        end: where the partition will stand.

    Raises:
        InlineFailed: the fold refuses one of the events.
        ProjectionFailed: the same, in a rebuild.
    """

    def __init__(
        self,
        track: Track,
        generation: Joined,
        at: Checkpoint,
        partition: Partition,
        events: Sequence[Recorded[Any]],
        own: set[str] | None,
        end: int,
    ) -> None:
        self._track, self._generation, self._partition = track, generation, partition
        self._events, self._own, self._strict = events, own or set(), own is None
        self._rows = RowCache(generation, max_bytes=0, complete=False)
        self._read = ReadRows(track.projection, generation, complete=False)
        model = track.projection.model
        keys = [each.key for each in generation.parked() if each.partition == at.partition] if at.parked else []
        self._parked = {read_key(model, each): each for each in keys}
        missed = [each for each in events if each.event_id not in self._own]
        folded = [self._fold(missed)] if missed else []
        if len(missed) < len(events):
            folded.append(self._fold(events[len(missed) :]))
        self._change = Change(
            self._rows.changed,
            at.position,
            end,
            sum(each.events for each in folded),
            partition=at.partition,
            epoch=at.epoch,
            parked=[parked for each in folded for parked in each.parked],
            read=self._read.changed,
        )

    def apply(self) -> bool:
        """Writes it; False, and nothing is written, where somebody has moved the rows meanwhile.

        Raises:
            InlineFailed: the target refuses a row.
        """
        try:
            return self._generation.apply(self._change)
        except (StoreUnavailable, StoreBusy):
            raise
        except Exception as error:
            if not is_of_rows(error):
                raise
            keys = list(self._change.rows)
            reason = f"the database refuses the row: {type(error).__name__}: {error}"
            raise self._refusal(self._events[-1], keys[0] if len(keys) == 1 else keys, reason) from error

    def _fold(self, events: Sequence[Recorded[Any]]) -> Folded:
        """Folds the events that are being appended, or those that were missed."""
        projection, fetch = self._track.projection, self._rows.fetch
        folded = fold_batch(projection, events, fetch, self._read, self._partition, self._parked)
        if (failure := folded.failure) is not None:
            if self._strict:
                raise failure
            if events[0].event_id in self._own or folded.of_source or self._track.poison.attempts is None:
                raise self._refused(failure) from failure
            folded = park_batch(projection, events, fetch, self._read, self._partition, self._parked, 1)
            model = projection.model
            self._parked |= {read_key(model, each.key): each.key for each in folded.parked}
        self._rows.update(folded.rows)
        self._read.update(folded.read)
        return folded

    def _refused(self, failure: ProjectionFailed) -> InlineFailed:
        at_fault = next(each for each in self._events if each.position == failure.position)
        return self._refusal(at_fault, failure.key, failure.reason)

    def _refusal(self, recorded: Recorded[Any], key: Any, reason: str) -> InlineFailed:
        name, own = self._track.projection.name, recorded.event_id in self._own
        return InlineFailed(name, recorded.position, key, reason, recorded.type, recorded.stream, own=own)


def swap_inline(store: EventStore, track: Track, number: int) -> bool:
    """Makes a generation of a track that is kept inline the live one. See `InlineTrack.swap`.

    What was appended since it was built is folded in the same transaction, so that it need not race the appends.
    """
    inline, target = InlineTrack(store, track), track.target
    if store.backend.sql is None:
        return inline.swap(None, number)
    database: SqlDatabase = target.database  # type: ignore[attr-defined]  # a target that joins appends has it
    with database.transaction() as connection:
        done = inline.swap(connection, number)
        if not done:
            connection.rollback()
    return done


class InlineFolds:
    """Folds the events of each append into the read models that are kept inline: a companion of the log.

    Args:
        store: the log.
        tracks: the projections that are kept inline, in their targets.
    """

    def __init__(self, store: EventStore, tracks: Iterable[Track]) -> None:
        ordered = sorted(tracks, key=lambda each: (each.projection.name, each.name))  # all writers lock in this order
        self._tracks = [InlineTrack(store, each) for each in ordered]
        self._types = frozenset().union(*[each.types for each in self._tracks])

    def concerns(self, request: WriteRequest) -> bool:
        """Whether one of its events is folded by one of the projections."""
        types = self._types
        return any(row[0] in types for write in request.writes for row in write.rows)

    def inserts(self, request: WriteRequest) -> Sequence[Insert] | None:
        """None: rows are folded from what is stored."""
        return None

    def types(self, requests: Sequence[WriteRequest]) -> Iterable[str]:
        """All types of the projections that fold one of these events."""
        return [name for each in self._concerned(requests) for name in each.types]

    def forget(self, _stored: Sequence[Stored]) -> None:
        """Nobody refuses after it: it is the last of the companions."""
        raise AssertionError("what was folded inline cannot be taken back; let it be the last companion")

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Folds the events, and those that were missed before them.

        Raises:
            InlineFailed: a fold or a target refuses one of the events.
        """
        concerned = self._concerned([each.request for each in stored])
        written = False
        while not written:  # somebody may catch up with missed events in memory, where nothing is held
            plans = [plan for each in concerned for plan in each.plan(connection, stored)]
            written = all(plan.apply() for plan in plans)

    def _concerned(self, requests: Sequence[WriteRequest]) -> list[InlineTrack]:
        types = {row[0] for request in requests for write in request.writes for row in write.rows}
        return [each for each in self._tracks if not types.isdisjoint(each.types)]
