"""The migrations of an application's database: the log's own, those of its projections and its commands, as one list."""

import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from eventfold.command_tables import command_migrator
from eventfold.projection_tables import projection_migrator
from eventstore import EventStore
from eventstore.migration import Migrator
from eventstore.opening import open_backend


def migrate(store: EventStore) -> list[str]:
    """Applies what is missing, and returns the names."""
    return store.backend.migrate() + [name for each in _migrators(store) for name in each.migrate()]


def pending(store: EventStore) -> list[str]:
    """The names of what `migrate` would apply."""
    return store.backend.pending_migrations() + [name for each in _migrators(store) for name in each.pending()]


def _migrators(store: EventStore) -> list[Migrator]:
    """Those of the rooms above the log."""
    return [each for each in (projection_migrator(store), command_migrator(store)) if each is not None]


def missing_file(url: str) -> Path | None:
    """The SQLite file that a URL names, if it does not exist: opening it would make it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None  # whoever opens it says what is wrong
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    path = Path(parsed.database)
    return None if path.exists() else path


def pending_in_new_file(path: Path) -> list[str]:
    """What `migrate` would apply to a SQLite file that does not exist, without making it."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / path.name}"
        with EventStore(open_backend(url)) as store:
            return pending(store)
