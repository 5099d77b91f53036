"""The migrations of an application's database: the log's own and those of its projections, as one list."""

import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from eventfold.projection_tables import projection_migrator
from eventstore import EventStore
from eventstore.opening import open_backend


def migrate(store: EventStore) -> list[str]:
    """Applies what is missing, and returns the names."""
    migrator = projection_migrator(store)
    return store.backend.migrate() + (migrator.migrate() if migrator is not None else [])


def pending(store: EventStore) -> list[str]:
    """The names of what `migrate` would apply."""
    migrator = projection_migrator(store)
    return store.backend.pending_migrations() + (migrator.pending() if migrator is not None else [])


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
