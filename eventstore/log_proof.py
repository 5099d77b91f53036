"""Proves that a copy of a log is what it should be, by reading both logs again."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Literal, NamedTuple

import msgspec

from eventstore.backend import Backend, LogFilter
from eventstore.backends.log_lines import LogLines, lines_of, read_lines
from eventstore.errors import StoreError
from eventstore.log_import import CopyProgress
from eventstore.log_transform import Transform, Transformer
from eventstore.store import EventStore

PART = 2_000
"""Events of the source that are compared at once; SQLite makes one value of them."""


IMPURE = (
    ". If nobody has changed either log, the transform has given two answers for one event: it must depend on nothing but the "
    "event; mend it and copy into an empty log"
)


class CopyStep(msgspec.Struct, frozen=True):
    """How far a copy has come.

    Attributes:
        phase: "copy", then "verify".
        position: of the source.
        head: the source's last position.
        events: how many were copied or verified by this run.
    """

    phase: Literal["copy", "verify"]
    position: int
    head: int
    events: int


class Copied(msgspec.Struct, frozen=True):
    """What a copy holds, proven by reading both logs again.

    Attributes:
        events_read: how many events the source holds.
        events_written: how many the target holds.
        source_position: the source's last position.
        target_position: the target's last position.
        sha256: of all of the target's events, in order.
    """

    events_read: int
    events_written: int
    source_position: int
    target_position: int
    sha256: str


class _Part(NamedTuple):
    """Events of the source, up to a position, and what they should be in the target."""

    events: int
    position: int
    wanted: LogLines


def prove(
    source: EventStore,
    target: EventStore,
    progress: CopyProgress,
    transform: Transform | None,
    on_progress: Callable[[CopyStep], None],
) -> Copied:
    """Reads both logs from the beginning, and compares what the source becomes with what the target holds.

    Raises:
        StoreError: the copy is not what it should be.
    """
    advice = "" if transform is None else IMPURE
    where, digest, read, written, at = target.backend.description, hashlib.sha256(), 0, 0, 0
    parts = _parts(source.backend, progress.source_position, transform)
    with closing(_side_by_side(parts, target.backend, progress.target_position)) as pairs:
        for part, found in pairs:
            if found.data != part.wanted.data:
                raise StoreError(f"{where}: the copy is wrong: {_first_difference(part.wanted, found)}{advice}")
            digest.update(found.data)
            read, written, at = read + part.events, written + found.events, max(at, found.position)
            on_progress(CopyStep("verify", part.position, progress.source_position, read))
    if (read, written, at) != (progress.events_read, progress.events_written, progress.target_position):
        raise StoreError(
            f"{where}: the copy is wrong: expected {progress.events_written} events of {progress.events_read}, up to "
            f"position {progress.target_position}, got {written} of {read}, up to {at}{advice}"
        )
    return Copied(read, written, progress.source_position, progress.target_position, digest.hexdigest())


def _parts(source: Backend, up_to: int, transform: Transform | None) -> Iterator[_Part]:
    at = 0
    if transform is None:
        while (lines := read_lines(source, at, up_to, PART)).events:
            at = lines.position
            yield _Part(lines.events, at, lines)
        return
    transformer = Transformer(transform)
    while page := source.log_page(LogFilter(), at, up_to, PART):
        at = page[-1][0]
        yield _Part(len(page), at, lines_of(transformer.rows(page)[0]))


def _side_by_side(parts: Iterator[_Part], target: Backend, up_to: int) -> Generator[tuple[_Part, LogLines], None, None]:
    """Each part with what the target holds in its place, read in a thread while the source's next part is made."""
    at = 0

    def read(events: int) -> LogLines:
        nonlocal at
        found = read_lines(target, at, up_to, events)
        at = max(at, found.position)
        return found

    waiting: deque[tuple[_Part, Future[LogLines]]] = deque()
    with ThreadPoolExecutor(1) as thread:
        for part in parts:
            waiting.append((part, thread.submit(read, part.wanted.events)))
            if len(waiting) > 1:
                before, reading = waiting.popleft()
                yield before, reading.result()
        for before, reading in waiting:
            yield before, reading.result()


def _first_difference(wanted: LogLines, found: LogLines) -> str:
    for one, other in zip(wanted.data.split(b"\n"), found.data.split(b"\n"), strict=False):
        if one != other and one and other:
            return f"expected {_row(one)}, got {_row(other)}; begin again in an empty log"
    return f"expected {wanted.events} events, got {found.events}; begin again in an empty log"


def _row(line: bytes) -> str:
    try:
        return str(tuple(msgspec.json.decode(line)))
    except (msgspec.DecodeError, UnicodeDecodeError):  # what is wrong may be no text at all
        return repr(line)
