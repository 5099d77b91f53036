"""The databases beside the log's in which projections keep rows: they are opened, checked and brought up to date with it."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from eventfold.migrations import missing_file, pending_in_new_file
from eventstore import EventStore
from projections import BoundProjection, SqlTable, TargetUnavailable
from projections.other_database import OtherDatabase, close_others, other_database

logger = logging.getLogger(__name__)


@contextmanager
def others_for_now(store: EventStore, projections: Iterable[BoundProjection[Any]]) -> Iterator[list[OtherDatabase]]:
    """Each of them once, closed at the end."""
    try:
        yield _others_of(store, projections)
    finally:
        close_others(store.backend)


def prepare_others(
    store: EventStore,
    projections: Iterable[BoundProjection[Any]],
    migrate: bool | None,  # noqa: FBT001 - as the log is told
) -> None:
    """Makes or checks their tables. One that is away is looked at again when it is used: it concerns its projections alone."""
    for each in _others_of(store, projections):
        each.migrates = migrate
        try:
            each.prepare()
        except TargetUnavailable as error:
            logger.warning("%s", error)


def pending_elsewhere(database: OtherDatabase) -> list[str]:
    """The migrations that one of them lacks; of a database that is away, its projections' status tells."""
    file = missing_file(database.engine.url.render_as_string(hide_password=False))
    if file is not None and file.parent.is_dir():
        names = [name for name in pending_in_new_file(file) if name.startswith("projections/")]
        return [f"{name} in {database.description}" for name in names]
    try:
        return database.pending()
    except TargetUnavailable as error:
        logger.warning("%s", error)
        return []


def _others_of(store: EventStore, projections: Iterable[BoundProjection[Any]]) -> list[OtherDatabase]:
    found = [
        other_database(store.backend, f"SqlTable({target.name!r})", target.url)
        for each in projections
        for target in each.targets
        if isinstance(target, SqlTable) and target.url is not None
    ]
    return list(dict.fromkeys(found))
