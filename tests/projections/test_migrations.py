"""The tables of the generations: made once, asked for where nobody made them, refused where they are newer."""

import threading

import pytest

from eventfold import Application, open_store
from eventfold.migrations import make_or_check, migrator_of
from eventstore import NotMigrated, SchemaTooNew
from tests.projections.shop import EVENTS, bindings

ALL = [
    "projections/0001_generations",
    "projections/0002_checkpoints",
    "projections/0003_parked",
    "projections/0004_made_at",
    "projections/0005_read_rows",
    "projections/0006_views",
    "projections/0007_told_apart",
]


def test_they_are_applied_once(url: str) -> None:
    with open_store(url, events=EVENTS, migrate=True) as store:
        migrator = migrator_of(store, "projections")
        assert migrator is not None
        assert migrator.pending() == ALL
        assert migrator.migrate() == ALL
        assert migrator.migrate() == migrator.pending() == []


def test_given_a_log_without_them_then_an_application_that_may_not_make_them_says_what_to_do(url: str) -> None:
    open_store(url, migrate=True).close()
    with (
        Application(url, projections=bindings(), migrate=False) as app,
        pytest.raises(
            NotMigrated, match=r"7 migrations are missing .projections/0001_generations, .*; run `eventfold migrate`"
        ),
    ):
        _ = app.store


def test_given_tables_of_a_newer_release_then_they_are_refused(url: str) -> None:
    with open_store(url, migrate=True) as store:
        make_or_check(store, migrate=True)
        assert store.backend.sql is not None
        with store.backend.sql.transaction() as connection:
            connection.exec_driver_sql(
                "INSERT INTO eventfold_migrations (room, number, name, applied_at) VALUES ('projections', 9, 'next', '')"
            )
    with (
        Application(url, projections=bindings(), migrate=True) as app,
        pytest.raises(SchemaTooNew, match="the tables of projections are at migration 9, and this release knows 7"),
    ):
        _ = app.store


def test_when_many_threads_come_first_then_one_log_is_opened() -> None:

    app, stores, ready = Application("memory://"), [], threading.Barrier(8)

    def first() -> None:
        ready.wait()
        stores.append(app.store)

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in stores}) == 1
    app.close()
