"""A moment in the past at which a read model is looked at."""

from datetime import datetime

import msgspec

from eventstore import EventStore, InvalidInput, NotFound
from eventstore.backend import StreamRange
from eventstore.bounds import check_instant, check_number


class Moment(msgspec.Struct, frozen=True):
    """Which events a read model contained, or would have; all bounds hold together.

    Attributes:
        up_to: those up to this position.
        recorded_until_us: those recorded at or before this instant, microseconds since 1970 UTC.
        occurred_until_us: those that had occurred at or before this instant.
    """

    up_to: int
    recorded_until_us: int | None = None
    occurred_until_us: int | None = None


def moment_in(
    store: EventStore,
    *,
    position: int | None = None,
    at: datetime | None = None,
    occurred: datetime | None = None,
    stream: str | None = None,
    version: int | None = None,
) -> Moment:
    """The moment that is meant; never later than the log's end as it is now.

    Args:
        store: the log.
        position: up to this position of the log.
        at: what the log knew at this instant.
        occurred: what had occurred by this instant, as known now, or at `at`.
        stream: with `version`: up to where this stream had that version.
        version: of `stream`.

    Raises:
        InvalidInput: a bound is not acceptable, or one of stream and version is missing.
        NotFound: the stream has no such version.
    """
    if (stream is None) != (version is None):
        raise InvalidInput("as_of: stream and version belong together, as in as_of(stream='account-a-1', version=3)")
    bounds = [store.head()]
    if position is not None:
        bounds.append(check_number("position", position))
    if stream is not None and version is not None:
        bounds.append(_position_of(store, stream, check_number("version", version)))
    return Moment(
        min(bounds),
        None if at is None else check_instant("at", at),
        None if occurred is None else check_instant("occurred", occurred),
    )


def _position_of(store: EventStore, stream: str, version: int) -> int:
    if version == 0:
        return 0
    rows = store.backend.stream_page(stream, StreamRange(version - 1, version), 1)
    if not rows:
        reached = store.stream_version(stream)
        raise NotFound(f"stream {stream!r}: expected a version from 0 to {reached}, which it has, got {version}")
    return rows[0][0]
