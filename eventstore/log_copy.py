"""Copies a log into another database: unchanged, or as a transform makes it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from eventstore.backend import LogFilter, Row
from eventstore.errors import InvalidInput, StoreError, Unsupported
from eventstore.log_import import CopyProgress, LogImport, check_untouched
from eventstore.log_transform import Transform, Transformer
from eventstore.store import EventStore

PAGE = 10_000

_lines = msgspec.json.Encoder().encode_lines

Planned: TypeAlias = tuple[list[Row], list[Row], list[tuple[int, int]]]
"""A page of the source, what it becomes, and where its positions went."""


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


def copy_log(
    source: EventStore,
    target: EventStore,
    transform: Transform | None = None,
    *,
    name: str = "",
    on_progress: Callable[[CopyStep], None] = lambda _step: None,
) -> Copied:
    """Copies every event of a log into an empty one, and proves that it did.

    Without a transform the copy is the same: positions, versions, ids, instants, tags, metadata and payloads. With one,
    streams and the log are counted anew, and `target_position_of` maps positions. A copy that was interrupted goes on from its
    last page; one that was finished takes in what has come since.

    Args:
        source: the log to read; nothing is changed in it.
        target: an empty log, or the beginning of the same copy.
        transform: from an event to what becomes of it: the same, another, several, or None.
        name: of the transform, by default its `module:function`; another name is refused by a copy that has begun.
        on_progress: called after every page.

    Raises:
        InvalidInput: the target holds other events, or the transform returned what cannot be stored.
        StoreError: the copy is not what it should be, or a database refused.
    """
    importer = import_of(target)
    name = "" if transform is None else name or _name_of(transform)
    progress = _begin(source, target, importer, name)
    head = source.head()
    versions = importer.versions() if transform is not None else None
    transformer = Transformer(transform, progress.target_position, versions) if transform is not None else None
    copied = 0
    for page, rows, positions in _plan(source, progress.source_position, head, transformer):
        before, progress = (
            progress,
            CopyProgress(
                name,
                page[-1][0],
                page[-1][6],
                rows[-1][0] if rows else progress.target_position,
                progress.events_read + len(page),
                progress.events_written + len(rows),
            ),
        )
        importer.write(rows, positions, before, progress)
        copied += len(page)
        on_progress(CopyStep("copy", page[-1][0], head, copied))
    importer.finish(progress)
    target.announce()
    return _verify(source, target, progress, Transformer(transform) if transform is not None else None, on_progress)


def target_position_of(target: EventStore, source_position: int) -> int:
    """Where a position of the source went: for checkpoints and tokens that outlive the move.

    Args:
        target: a log that was copied.
        source_position: a position of the log that it was copied from.

    Returns:
        The last position of the target whose event came from there or from before.
    """
    importer = import_of(target)
    progress = importer.progress()
    if progress is None or not progress.transform:
        return source_position
    return importer.target_position(source_position) or 0


def import_of(store: EventStore) -> LogImport:
    """What writes recorded events into a store's log.

    Raises:
        Unsupported: its backend takes none.
    """
    if store.backend.importer is None:
        raise Unsupported(f"{store.backend.description}: a log cannot be copied into it; use SQLite or PostgreSQL")
    return store.backend.importer


def _name_of(transform: Transform) -> str:
    named = transform if hasattr(transform, "__qualname__") else type(transform)
    return f"{named.__module__}:{named.__qualname__}"


def _begin(source: EventStore, target: EventStore, importer: LogImport, name: str) -> CopyProgress:
    progress = importer.progress() or CopyProgress(name)
    where = target.backend.description
    check_untouched(importer.head(), importer.progress(), where)
    if progress.transform != name:
        raise InvalidInput(
            f"{where}: transform: this copy was begun with {progress.transform or 'none'}, got {name or 'none'}; go on "
            "with the same, or begin in an empty log"
        )
    if progress.source_position:
        last = source.backend.log_page(LogFilter(), progress.source_position - 1, progress.source_position, 1)
        if not last or last[0][6] != progress.source_event_id:
            raise InvalidInput(
                f"{where}: it is a copy of another log than {source.backend.description}: event "
                f"{progress.source_event_id} is not at position {progress.source_position} there"
            )
    return progress


def _plan(source: EventStore, after: int, head: int, transformer: Transformer | None) -> Iterator[Planned]:
    while page := source.backend.log_page(LogFilter(), after, head, PAGE):
        after = page[-1][0]
        rows, positions = transformer.rows(page) if transformer is not None else (page, [])
        yield page, rows, positions


def _verify(
    source: EventStore,
    target: EventStore,
    progress: CopyProgress,
    transformer: Transformer | None,
    on_progress: Callable[[CopyStep], None],
) -> Copied:
    """Reads both logs from the beginning, and compares what the source becomes with what the target holds."""
    digest, read, written, at = hashlib.sha256(), 0, 0, 0
    for page, rows, _ in _plan(source, 0, progress.source_position, transformer):
        found: list[Row] = []
        while len(found) < len(rows):
            more = target.backend.log_page(LogFilter(), at, progress.target_position, len(rows) - len(found))
            if not more:
                break
            found += more
            at = more[-1][0]
        if found != rows:
            raise StoreError(f"{target.backend.description}: the copy is wrong: {_first_difference(rows, found)}")
        digest.update(_lines(found))
        read, written = read + len(page), written + len(rows)
        on_progress(CopyStep("verify", page[-1][0], progress.source_position, read))
    counts = (read, written, at)
    if counts != (progress.events_read, progress.events_written, progress.target_position):
        raise StoreError(
            f"{target.backend.description}: the copy is wrong: expected {progress.events_written} events of "
            f"{progress.events_read}, up to position {progress.target_position}, got {written} of {read}, up to {at}"
        )
    return Copied(read, written, progress.source_position, progress.target_position, digest.hexdigest())


def _first_difference(expected: Sequence[Row], found: Sequence[Row]) -> str:
    for wanted, got in zip(expected, found, strict=False):
        if wanted != got:
            return f"expected {wanted}, got {got}; begin again in an empty log"
    return f"expected {len(expected)} events, got {len(found)}; begin again in an empty log"
