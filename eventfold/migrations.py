"""The migrations of an application's database: the log's own, those of its projections and its commands, as one list."""

import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from eventstore import EventStore
from eventstore.migration import Migrator, require_migrated
from eventstore.opening import open_backend

ROOMS = ("projections", "commands")
"""The rooms that keep tables beside the log's; their migrations lie in `<room>.migrations`."""


def migrate(store: EventStore) -> list[str]:
    """Applies what is missing, and returns the names."""
    return store.backend.migrate() + [name for each in _migrators(store) for name in each.migrate()]


def pending(store: EventStore) -> list[str]:
    """The names of what `migrate` would apply."""
    return store.backend.pending_migrations() + [name for each in _migrators(store) for name in each.pending()]


def make_or_check(store: EventStore, *, migrate: bool | None) -> None:
    """Makes or checks the tables beside the log's, by the rule of `open_store`: SQLite files are migrated unless told otherwise.

    Raises:
        NotMigrated, SchemaTooNew: the tables are older or newer than this release needs.
    """
    database = store.backend.sql
    makes = migrate if migrate is not None else database is not None and database.dialect == "sqlite"
    for each in _migrators(store):
        if makes:
            each.migrate()
        require_migrated(each.pending(), store.backend.description)


def migrator_of(store: EventStore, room: str) -> Migrator | None:
    """The migrator of a room's tables; None where the log is not in a SQL database."""
    database = store.backend.sql
    return None if database is None else database.migrator(room, f"{room}.migrations")


def _migrators(store: EventStore) -> list[Migrator]:
    return [each for room in ROOMS if (each := migrator_of(store, room)) is not None]


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
