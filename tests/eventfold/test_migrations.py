"""The framework's own tables, from every earlier version of them, with data, on both databases: nothing is lost, all works."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from eventfold import Application, SnapshotPolicy, SqlTable, Struct, open_store, projection
from eventfold.migrations import migrate, migrator_of, pending
from eventstore import EventStore, Recorded
from eventstore.aggregate import Aggregate
from eventstore.log_copy import copy_log
from eventstore.migration import Migration, Migrator, load_migrations
from eventstore.opening import open_backend
from eventstore.sql_database import SqlDatabase
from eventstore.testing.contract.vocabulary import CourseDefined, Deposited

LOG = {
    each: len(load_migrations("eventstore", f"eventstore.backends.{each}.migrations"))
    for each in ("sqlite", "postgresql")
}
EARLIER = [
    pytest.param(each, log, marks=[pytest.mark.postgresql] * (each == "postgresql"))
    for each, newest in LOG.items()
    for log in range(1, newest + 1)
]
READ_MODELS = len(load_migrations("projections", "projections.migrations.sqlite"))
COMMANDS = len(load_migrations("commands", "commands.migrations.sqlite"))
EVENTS = [Deposited, CourseDefined]
FIRST_COLUMNS = (
    "position, stream, version, recorded_at, type, schema_version, event_id, occurred_at, correlation_id, causation_id, "
    "metadata, tags, payload"
)


class Purse(Aggregate[Deposited], category="account", snapshots=SnapshotPolicy()):
    total: int = 0

    def evolve(self, event: Deposited) -> "Purse":
        return Purse(self.total + event.amount)


class Balance(Struct, frozen=True):
    account: str
    amount: int = 0


@projection("balances")
def balances(row: Balance | None, recorded: Recorded[Deposited]) -> Balance:
    return Balance(recorded.stream_id, (row.amount if row else 0) + recorded.event.amount)


@pytest.fixture
def url(request: pytest.FixtureRequest, dialect: str) -> str:
    chosen: str = request.getfixturevalue("sqlite_url" if dialect == "sqlite" else "postgres_url")
    return chosen


@pytest.mark.parametrize(("dialect", "log"), EARLIER)
@pytest.mark.parametrize("read_models", range(READ_MODELS + 1))
def test_given_tables_of_any_earlier_version_with_data_then_they_are_migrated_and_nothing_is_lost(
    url: str, dialect: str, log: int, read_models: int
) -> None:
    before = make_old(url, log, read_models)

    with EventStore(open_backend(url), events=EVENTS) as store:
        applied = migrate(store)
        assert len(applied) == LOG[dialect] - log + READ_MODELS - read_models + COMMANDS
        assert pending(store) == []
        assert stored(store) == before
    with Application(url, projections=[balances.into(SqlTable("balances"))], events=EVENTS) as app:
        everything_works(app)
    with open_store(url, events=EVENTS) as store:
        assert stored(store)[0] == before[0]


def everything_works(app: Application) -> None:
    store = app.store
    assert [each.event for each in store.read_log()] == [Deposited(5), CourseDefined("x", 3)]
    assert [each.stream for each in store.read_log(tags=["course:x"])] == ["course-x"]
    cause = store.event(store.append("account-1", [Deposited(7)], expected=1).event_ids[0])
    assert cause.position == 3
    assert [each.recorded.position for each in app.effects(cause.event_id)] == [3]
    assert app.snapshot(Purse, "1") == 2
    assert app.load_with_version(Purse, "1").snapshot == 2
    app.catch_up()
    assert app.query(Balance).get("1") == Balance("1", 12)
    with open_store("memory://") as elsewhere, pytest.raises(Exception, match="expected an empty log"):
        copy_log(elsewhere, store)


def make_old(url: str, log: int, read_models: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Tables as an older release has made and filled them; returns what is in them."""
    backend = open_backend(url)
    assert backend.sql is not None
    dialect = "sqlite" if backend.sql.dialect == "sqlite" else "postgresql"
    names = {"prefix": "eventfold_", "qualifier": ""}
    own = load_migrations("eventstore", f"eventstore.backends.{dialect}.migrations", **names)
    others = load_migrations("projections", f"projections.migrations.{dialect}", **names)
    apply(backend.sql, own[:log])
    apply(backend.sql, others[:read_models])
    with backend.sql.transaction() as connection:
        fill(connection, dialect, read_models)
    with EventStore(backend) as store:
        return stored(store)


def apply(database: SqlDatabase, migrations: Sequence[Migration]) -> None:
    Migrator(database.engine, migrations, prefix="eventfold_", schema=None, description="old").migrate()


def fill(connection: Connection, dialect: str, read_models: int) -> None:
    event_id = "00000000-0000-7000-8000-00000000000"
    rows = [
        f"(1, 'account-1', 1, 1000, 'Deposited', 1, '{event_id}1', NULL, 'c', 'm', NULL, NULL, '{{\"amount\":5}}')",
        (
            f"(2, 'course-x', 1, 2000, 'CourseDefined', 1, '{event_id}2', 900, NULL, NULL, '{{\"by\":\"a\"}}', '[\"course:x\"]', "
            '\'{"course_id":"x","capacity":3}\')'
        ),
    ]
    connection.exec_driver_sql(f"INSERT INTO eventfold_events ({FIRST_COLUMNS}) VALUES {', '.join(rows)}")
    connection.exec_driver_sql(
        "INSERT INTO eventfold_event_tags (tag, type, position) VALUES ('course:x', 'CourseDefined', 2)"
    )
    if dialect == "postgresql":
        connection.exec_driver_sql("SELECT setval('eventfold_positions', 2)")
    if read_models == 1:
        connection.exec_driver_sql(
            "INSERT INTO eventfold_generations "
            "(projection, target, number, state, fingerprint, position, events, error, updated_at) "
            "VALUES ('older', 'older', 3, 'live', 'f', 2, 9, 'why', 1000)"
        )
    elif read_models:
        connection.exec_driver_sql(
            "INSERT INTO eventfold_generations (projection, target, number, state, fingerprint) "
            "VALUES ('older', 'older', 3, 'live', 'f')"
        )
        connection.exec_driver_sql(
            "INSERT INTO eventfold_checkpoints (projection, target, number, partition, position, events, error, epoch, until_us, "
            "updated_at) VALUES ('older', 'older', 3, 0, 2, 9, 'why', 0, 0, 1000)"
        )


def stored(store: EventStore) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The events as they lie in the table, and the generations of the projection that is no more."""
    assert store.backend.sql is not None
    with store.backend.sql.reading() as connection:
        sql = f"SELECT {FIRST_COLUMNS} FROM eventfold_events ORDER BY position LIMIT 2"
        events = [tuple(map(str, row)) for row in connection.execute(text(sql))]
        migrator = migrator_of(store, "projections")
        if migrator is None or (missing := len(migrator.pending())) == READ_MODELS:
            return events, []
        checkpoints = "eventfold_generations"
        if READ_MODELS - missing > 1:
            checkpoints += " JOIN eventfold_checkpoints USING (projection, target, number)"
        sql = f"SELECT number, state, fingerprint, position, events, error, updated_at FROM {checkpoints} "
        return events, [tuple(row) for row in connection.execute(text(f"{sql} WHERE projection = 'older'"))]
