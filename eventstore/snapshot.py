"""Snapshots: the encoded state of a stream at a version, and what a database must do to keep them."""

from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from eventstore.aggregate import Aggregate
from eventstore.backend import Payload, StreamRange
from eventstore.errors import DefinitionError, UnfitState
from eventstore.snapshot_fingerprint import fingerprint
from eventstore.snapshot_proof import half_kept

A = TypeVar("A", bound=Aggregate[Any])


class SnapshotKind(NamedTuple):
    """Whose snapshots: an aggregate's name, and the fingerprint of the code that folds it."""

    aggregate: str
    fingerprint: str


class NewSnapshot(NamedTuple):
    """A state to be kept. The last event that it was folded from says where in the log that is."""

    stream: str
    kind: SnapshotKind
    version: int
    event_id: str
    state: str


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot that is kept.

    Attributes:
        stream: the stream's name.
        version: of the last event that it was folded from.
        state: the state as JSON.
        taken_us: when it was written, in microseconds since 1970 UTC.
        in_log: whether the log holds that very event; a log restored from an older backup may not.
    """

    stream: str
    version: int
    state: str
    taken_us: int
    in_log: bool


class SnapshotCount(msgspec.Struct, frozen=True):
    """How many snapshots of one kind there are.

    Attributes:
        aggregate: the aggregate's name.
        fingerprint: of the code that folded them.
        streams: how many streams have one of an event that the log holds.
        snapshots: how many there are.
        size: of the states of those whose event the log holds, in characters.
        ahead: how many are of an event that the log does not hold.
        taken_us: when the newest was written, in microseconds since 1970 UTC.
    """

    aggregate: str
    fingerprint: str
    streams: int
    snapshots: int
    size: int
    ahead: int
    taken_us: int


class StreamEnd(NamedTuple):
    """The last event of a fold."""

    version: int
    position: int
    event_id: str


class Beginning(NamedTuple):
    """A snapshot and what follows it."""

    state: str
    at: StreamEnd
    tail: list[Payload]
    end: StreamEnd
    """The last event of the tail, or of the snapshot where there is none."""


class SnapshotTable(Protocol):
    """Keeps snapshots in the log's database. A snapshot that does not fit the log there is never returned for a load."""

    def begin(self, stream: str, kind: SnapshotKind, part: StreamRange, limit: int) -> Beginning | None:
        """The newest snapshot within the part of the stream, and up to `limit` events of the part after it.

        None where there is no such snapshot whose last event is in the log.
        """

    def save(self, new: NewSnapshot, keep: int) -> bool:
        """Keeps a snapshot, if its event is in the log, and the `keep` newest of its kind and stream with it.

        Returns:
            Whether its event is in the log.
        """

    def page(self, kind: SnapshotKind, after: tuple[str, int], stream: str | None, limit: int) -> list[Snapshot]:
        """Up to `limit` snapshots after a stream and a version, in that order; of one stream where it is named."""

    def counts(self) -> list[SnapshotCount]:
        """How many there are of each kind."""

    def delete(self, kind: SnapshotKind, *, ahead_only: bool = False) -> int:
        """Deletes all of a kind, or those of events that the log does not hold; returns how many."""


def kind_of(aggregate: type[Aggregate[Any]]) -> SnapshotKind:
    """The kind of an aggregate's snapshots, as the code is now.

    Raises:
        DefinitionError: it can have none.
    """
    return SnapshotKind(aggregate.__name__, fingerprint(aggregate))


def encode_state(state: Aggregate[Any]) -> str:
    """The state as JSON, after proof that it reads back equal, and behaves alike in the fold's next steps.

    Raises:
        UnfitState: it does not.
    """
    try:
        text = msgspec.json.encode(state).decode()
        back = decode_state(type(state), text)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnfitState(f"{type(state).__name__}: the state cannot be kept as JSON: {error}") from error
    if back != state:
        raise UnfitState(f"{type(state).__name__}: the state does not read back equal from JSON: {text[:200]}")
    if (problem := half_kept(state)) is not None:
        raise UnfitState(f"{type(state).__name__}: the state cannot be kept whole: {problem}")
    return text


def decode_state(aggregate: type[A], text: str) -> A:
    """The state that was encoded.

    Raises:
        ValueError: it does not fit the declared fields.
    """
    state: A = _decoder(aggregate).decode(text)
    return state


@cache
def _decoder(aggregate: type[Aggregate[Any]]) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(aggregate)
    except TypeError as error:
        raise DefinitionError(
            f"{aggregate.__qualname__}: a field's type cannot be kept as JSON, so it can have no snapshots: {error}"
        ) from error
