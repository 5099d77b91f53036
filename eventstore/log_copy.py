"""Copies a log into another database: unchanged, or as a transform makes it."""

from collections.abc import Callable, Iterator

from eventstore.backend import LogFilter
from eventstore.errors import InvalidInput, Unsupported
from eventstore.log_import import CopyProgress, LogImport, check_untouched
from eventstore.log_proof import Copied, CopyStep, prove
from eventstore.log_transform import Transform, Transformer
from eventstore.store import EventStore

PAGE = 25_000
"""Events in a transaction. Smaller ones write the pages of the indexes more often."""


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
    before = progress.events_read
    for now in _pages(source, importer, progress, head, transform):
        progress = now
        on_progress(CopyStep("copy", now.source_position, head, now.events_read - before))
    importer.finish(progress)
    target.announce()
    return prove(source, target, progress, transform, on_progress)


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


def _pages(
    source: EventStore, importer: LogImport, progress: CopyProgress, head: int, transform: Transform | None
) -> Iterator[CopyProgress]:
    """Copies page after page, and says after each how far the copy has come."""
    if transform is None and source.backend.sql is not None and importer.carries(source.backend.sql):
        while (now := importer.carry(source.backend.sql, progress, head, PAGE)) != progress:
            progress = now
            yield progress
        return
    transformer = Transformer(transform, progress.target_position, importer.versions()) if transform else None
    while page := source.backend.log_page(LogFilter(), progress.source_position, head, PAGE):
        rows, positions = transformer.rows(page) if transformer is not None else (page, [])
        before, progress = (
            progress,
            CopyProgress(
                progress.transform,
                page[-1][0],
                page[-1][6],
                rows[-1][0] if rows else progress.target_position,
                progress.events_read + len(page),
                progress.events_written + len(rows),
            ),
        )
        importer.write(rows, positions, before, progress)
        yield progress
