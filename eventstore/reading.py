"""Reading in pages: streams by version, the log by position."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from eventstore.backend import Backend, LogFilter, Row, StreamRange
from eventstore.bounds import check_instant, check_number
from eventstore.codec import Codec
from eventstore.errors import InvalidInput
from eventstore.event import Event
from eventstore.log_reader import LogReader
from eventstore.query import Query, QueryItem, check_query, check_tags, type_names
from eventstore.recorded import Recorded
from eventstore.stream import check_category, check_stream_name

PAGE = 1000


def log_filter(
    *,
    category: str | None = None,
    stream: str | None = None,
    types: Sequence[type[Event] | str] = (),
    tags: Sequence[str] = (),
    query: Query | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> LogFilter:
    """A filter over the log; every part that is given must hold.

    Args:
        category: of the stream.
        stream: its whole name.
        types: one of these.
        tags: all of these.
        query: in place of types and tags.
        since: recorded at or after.
        until: recorded at or before.

    Raises:
        InvalidInput: a part is not acceptable.
    """
    if query is not None and (types or tags):
        raise InvalidInput("filter: expected either query, or types and tags, got both")
    if query is not None:
        check_query("filter", query)
    elif types or tags:
        query = Query((QueryItem(type_names(types), check_tags(tags)),))
    return LogFilter(
        category if category is None else check_category(category),
        stream if stream is None else check_stream_name(stream, system=True),
        query,
        since if since is None else check_instant("since", since),
        until if until is None else check_instant("until", until),
    )


def check_paging(limit: int | None, page_size: int) -> None:
    """Refuses a limit or a page size that makes no sense.

    Raises:
        InvalidInput: the limit is negative, or the page size is not positive.
    """
    if limit is not None:
        check_number("limit", limit)
    check_number("page_size", page_size, least=1)


def read_stream(
    backend: Backend, codec: Codec, stream: str, part: StreamRange, limit: int | None, page_size: int
) -> Iterator[Recorded[Any]]:
    """The events of a part of a stream, a page at a time."""
    after, up_to, left = part.after_version, part.up_to_version, limit
    while left is None or left > 0:
        size = page_size if left is None else min(left, page_size)
        bounded = StreamRange(
            after,
            up_to,
            part.up_to_position,
            part.recorded_until_us,
            part.occurred_until_us,
            part.backwards,
        )
        rows = backend.stream_page(stream, bounded, size)
        events = _first(_in_order(codec.decode, rows, backwards=part.backwards), left)
        yield from events
        if len(rows) < size:
            return
        after, up_to = (after, rows[-1][2] - 1) if part.backwards else (rows[-1][2], up_to)
        left = None if left is None else left - len(events)


def read_log(
    backend: Backend,
    codec: Codec,
    wanted: LogFilter,
    bounds: tuple[int, int | None],
    limit: int | None,
    page_size: int,
    *,
    backwards: bool,
) -> Iterator[Recorded[Any]]:
    """The wanted events of the log as far as it is complete now, a page at a time."""
    after, horizon = bounds[0], backend.horizon()
    up_to = horizon if bounds[1] is None else min(bounds[1], horizon)
    left, reader = limit, LogReader(backend, codec, wanted)
    while (left is None or left > 0) and after < up_to:
        size = page_size if left is None else min(left, page_size)
        rows = reader.rows(after, up_to, size, backwards=backwards)
        events = _first(_in_order(reader.decode, rows, backwards=backwards), left)
        yield from events
        if len(rows) < size:
            return
        after, up_to = (after, rows[-1][0] - 1) if backwards else (rows[-1][0], up_to)
        left = None if left is None else left - len(events)


def _in_order(
    decode: Callable[[Sequence[Row]], list[Recorded[Any]]], rows: list[Row], *, backwards: bool
) -> list[Recorded[Any]]:
    """The events of the rows; read backwards, those that one row was upcast into come backwards, too."""
    return decode(rows[::-1])[::-1] if backwards else decode(rows)


def _first(events: list[Recorded[Any]], limit: int | None) -> list[Recorded[Any]]:
    """As many as the limit allows, and the rest of those that the last one's stored event was upcast into."""
    if limit is None or len(events) <= limit:
        return events
    end = limit
    while end < len(events) and events[end].position == events[end - 1].position:
        end += 1
    return events[:end]
