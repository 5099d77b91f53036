"""Tables that an earlier release has made get those of the schedules, and lose nothing."""

from eventfold import Application
from eventfold.migrations import pending
from eventstore import EventStore
from eventstore.migration import Migrator, load_migrations
from eventstore.opening import open_backend
from tests.commands.bank import HANDLERS, Account, Deposit
from tests.commands.schedule.conftest import in_sql


@in_sql
def test_given_tables_before_there_were_schedules_then_keys_are_kept_and_commands_can_be_scheduled(url: str) -> None:
    with EventStore(open_backend(url)) as store:
        store.backend.migrate()
        database = store.backend.sql
        assert database is not None
        database.migrator("projections", "projections.migrations").migrate()
        older = load_migrations(
            "commands", f"commands.migrations.{database.dialect}", prefix="eventfold_", qualifier=""
        )[:1]
        Migrator(database.engine, older, prefix="eventfold_", schema=None, description="older").migrate()
        table = "eventfold_idempotency_keys (scope, key, command, fingerprint, outcome, kept_at, expires_at)"
        with database.durable() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ('', 'k', 'Look', 'f', '{{}}', 1, {2**60})")
        assert "commands/0004_schedules" in pending(store)

    with Application(url, handlers=HANDLERS, migrate=True) as app:
        app.schedule(Deposit("a-1", 5), after=0)
        app.fire_due()

        assert app.load(Account, "a-1").balance == 5
        assert app.parts.ledger.look("", "k") is not None
        assert pending(app.store) == []
