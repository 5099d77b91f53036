"""Read models in another database than the log's: exactly once there, whatever becomes of either."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventfold import (
    Application,
    DefinitionError,
    NeedsRebuild,
    NotMigrated,
    ReportingView,
    SqlTable,
    TargetUnavailable,
)
from eventstore.token import token_of
from projections import BoundProjection, Projection, prune, rollback, status_of
from projections.rebuild import rebuild
from projections.testing import TargetContract
from tests.eventstore.test_fork import in_a_forked_child
from tests.projections import enriched
from tests.projections.enriched import append_some, customers, regions, spendings
from tests.projections.nursery import Nursery
from tests.projections.shop import (
    EVENTS,
    Added,
    Stock,
    Total,
    assert_counted_once,
    assert_each_partition_straight,
    assert_straight,
    fill,
    stock,
    totals,
)
from tests.services.postgresql import PostgresServer

KILLS = int(os.environ.get("EVENTFOLD_OTHER_KILLS", "3"))
"""In each pair of databases; more for a longer run."""


class TestSqlTableInAnotherSqliteFile(TargetContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> SqlTable:
        return SqlTable("things", url=f"sqlite:///{tmp_path / 'reports.db'}")


@pytest.fixture(params=["memory+sqlite", "sqlite+postgresql", "postgresql+sqlite"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A log, and another database."""
    log, other = request.param.split("+")
    made = {
        "memory": lambda: "memory://",
        "sqlite": lambda: f"sqlite:///{tmp_path / next(names)}",
        "postgresql": lambda: str(request.getfixturevalue("postgres_url")),
    }
    names = iter(["one.db", "two.db"])
    return made[log](), made[other]()


def bindings(other: str) -> list[BoundProjection[Any]]:
    return [each.into(SqlTable(each.name, url=other)) for each in (stock, totals)]


def open_app(log: str, other: str, **options: Any) -> Application:
    return Application(log, **{"projections": bindings(other), "events": EVENTS, "migrate": True, **options})


@pytest.fixture
def app(urls: tuple[str, str]) -> Iterator[Application]:
    with open_app(*urls) as app:
        yield app


def test_rows_and_checkpoints_lie_there_and_all_that_can_be_done_to_a_read_model_can_be_done_to_it(
    app: Application, urls: tuple[str, str]
) -> None:
    fill(app.store, 40)
    app.catch_up()
    assert_straight(app.store, app.engine)
    track = app.engine.find("stock")[0]
    assert track.elsewhere is not None
    assert track.elsewhere.engine.dialect.name == urls[1].split(":", maxsplit=1)[0]
    app.pause("stock")
    token = token_of(app.store.append("item-a", [Added(2)]).position)
    assert status_of(app.store, track).state == "paused"
    app.resume("stock")
    found = app.query(Stock).get("a", after=token)
    assert found is not None
    assert found.amount == 2
    rebuild(app.store, track)
    rollback(app.store, track)
    assert prune(track) == [2]
    assert [each.faults for each in app.verify("stock")] == [[]]
    app.reset("totals")
    app.catch_up()
    assert_straight(app.store, app.engine)
    assert app.query(Total).count() > 0
    assert app.parked() == []
    assert app.query(Stock).as_of(position=40).count() > 0


def test_workers_keep_it_with_leases_of_that_database(app: Application, urls: tuple[str, str]) -> None:
    workers = [app.worker()]
    if not urls[0].startswith("memory"):
        other = open_app(*urls)
        workers.append(other.worker())
    for each in workers:
        each.start()
    for number in range(5):
        fill(app.store, 8, seed=8 * number)
        assert app.query(Total).all(after=token_of(app.store.head()))
    owners = {lane.owner for track in app.engine.tracks for lane in track.target.generations()[0].checkpoints}
    for each in workers:
        each.stop()
    assert None not in owners
    app.catch_up()
    assert_straight(app.store, app.engine)
    if len(workers) > 1:
        other.close()


def test_a_view_reads_tables_of_one_database_and_is_refused_over_two(urls: tuple[str, str]) -> None:
    sums = "SELECT sum(amount) AS amount FROM {stock}"
    with open_app(*urls, views=[ReportingView("sums", sums, over=[stock], materialized=True)]) as app:
        fill(app.store, 20)
        app.catch_up()
        assert app.view("sums").all()[0].amount == sum(each.amount for each in app.query(Stock).all())
    both = ReportingView("both", "SELECT 1 FROM {stock}, {totals}", over=[stock, totals])
    if urls[0].startswith("memory"):
        return
    mixed = [stock.into(SqlTable("stock", url=urls[1])), totals.into(SqlTable("totals"))]
    with (
        open_app(*urls, projections=mixed, views=[both]) as app,
        pytest.raises(DefinitionError, match="different databases"),
    ):
        _ = app.engine


def test_migrations_of_both_databases_are_named_and_applied(postgres_url: str, tmp_path: Path) -> None:
    with Application(f"sqlite:///{tmp_path / 'log.db'}", projections=bindings(postgres_url), events=EVENTS) as app:
        pending = app.parts.pending_migrations()
        assert [each for each in pending if each.startswith("projections/0001_generations in PostgreSQL")]
        with pytest.raises(NotMigrated, match=r"PostgreSQL .*run `eventfold migrate`"):
            _ = app.store
        assert app.parts.migrate() == [each for each in pending if " in PostgreSQL" in each]
        assert app.parts.pending_migrations() == []
        fill(app.store, 5)
        app.catch_up()
        assert_straight(app.store, app.engine)


def test_its_outage_pauses_its_own_projections_only_and_they_go_on_when_it_is_back(
    private_postgres: PostgresServer, sqlite_url: str
) -> None:
    other = private_postgres.create_database()
    mixed = [stock.into(SqlTable("stock", url=other)), totals.into(SqlTable("totals"))]
    with open_app(sqlite_url, other, projections=mixed) as app:
        fill(app.store, 10)
        app.catch_up()
        with app.worker():
            private_postgres.kill()
            fill(app.store, 10, seed=10)
            assert app.query(Total).all(after=token_of(app.store.head()))
            with pytest.raises(TargetUnavailable):
                app.query(Stock).all(after=token_of(app.store.head()), timeout=0.2)
            first, second = (status_of(app.store, each) for each in app.engine.tracks)
            assert (first.state, second.state) == ("failed", "live")
            assert "PostgreSQL" in str(first.error)
            with pytest.raises(TargetUnavailable):
                app.catch_up()
            with open_app(sqlite_url, other, projections=mixed) as begun:  # begins without it
                assert begun.query(Total).count() > 0
            private_postgres.start()
            assert app.query(Stock).all(after=token_of(app.store.head()), timeout=30, stale=False)
        app.catch_up()
        assert_straight(app.store, app.engine)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_is_refused_the_parents_connections_and_opens_its_own(postgres_url: str, tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"

    def ask() -> str:
        try:
            app.parked("stock")
        except TargetUnavailable as error:
            refusal = str(error)
        app.close()
        with open_app(log, postgres_url) as own:
            return f"{own.query(Stock).count()} rows; {refusal}"

    with open_app(log, postgres_url) as app:
        fill(app.store, 20)
        app.catch_up()
        rows = app.query(Stock).count()

        answer = in_a_forked_child(ask)

        assert answer.startswith(f"{rows} rows; PostgreSQL")
        assert "forked after the store was opened" in answer
        assert app.query(Stock).count() == rows
        assert app.parked("stock") == []


def test_rows_of_another_log_are_told_apart(tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'reports.db'}"
    with open_app(f"sqlite:///{tmp_path / 'log.db'}", other) as app:
        fill(app.store, 10)
        app.catch_up()
    with open_app(f"sqlite:///{tmp_path / 'restored.db'}", other) as app:
        fill(app.store, 3)
        with pytest.raises(NeedsRebuild, match=r"stand at position 10, and the log ends at 3: they are of another log"):
            app.catch_up()
        assert status_of(app.store, app.engine.tracks[0]).state == "failed"
        for name in ("stock", "totals"):
            app.reset(name)
        app.catch_up()
        assert_straight(app.store, app.engine)


def test_the_url_takes_variables_of_the_environment_and_its_password_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        open_app("memory://", "${REPORTS_URL}") as app,
        pytest.raises(DefinitionError, match="no variable REPORTS_URL"),
    ):
        _ = app.store
    monkeypatch.setenv("REPORTS_URL", f"sqlite:///{tmp_path / 'reports.db'}")
    with open_app("memory://", "${REPORTS_URL}") as app:
        fill(app.store, 3)
        app.catch_up()
        assert (tmp_path / "reports.db").exists()
    monkeypatch.setenv("REPORTS_URL", "postgresql://somebody:tell-nobody@127.0.0.1:1/reports")
    with open_app("memory://", "${REPORTS_URL}") as app:
        with pytest.raises(TargetUnavailable) as refused:
            app.catch_up()
        told = [str(refused.value), *[str(status_of(app.store, each)) for each in app.engine.tracks], repr(app.parts)]
        assert "tell-nobody" not in " ".join(told)
        assert "127.0.0.1:1/reports" in told[0]
    with (
        open_app("memory://", "memory://") as app,
        pytest.raises(DefinitionError, match="expected a sqlite:// or postgresql://"),
    ):
        _ = app.store


def test_given_a_process_killed_while_it_projects_then_rows_and_checkpoint_belong_together(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = urls
    if log.startswith("memory"):
        return  # a log that is gone with its process
    monkeypatch.setenv("VICTIMS_OTHER_DATABASE", other)
    with open_app(log, other) as app, Nursery(log) as nursery:
        app.catch_up()
        for seed in range(KILLS):
            nursery.run_until_killed(seed, "elsewhere", 1 + seed * 7 % 23)
            assert_each_partition_straight(app.store, app.engine)
        app.catch_up()
        assert_straight(app.store, app.engine)
        assert_counted_once(app.store, app.engine)


def test_a_composite_projection_keeps_there_what_it_reads(urls: tuple[str, str]) -> None:
    projections: list[Projection[Any]] = [regions, customers, spendings]
    composed = [each.into(SqlTable(each.name, url=urls[1])) for each in projections]
    with open_app(*urls, projections=composed, events=enriched.EVENTS) as app:
        for seed in range(3):
            append_some(app.store, random.Random(seed), 8)
            app.catch_up()
        assert [each.faults for each in app.verify("spendings")] == [[]]
        assert app.query(enriched.Spending).count() > 0


def test_what_is_kept_inline_is_refused_there(tmp_path: Path) -> None:
    inline = stock.into(SqlTable("stock", url=f"sqlite:///{tmp_path / 'reports.db'}"), consistency="inline")
    with (
        open_app(f"sqlite:///{tmp_path / 'log.db'}", "", projections=[inline]) as app,
        pytest.raises(DefinitionError, match="cannot be kept inline"),
    ):
        _ = app.engine
