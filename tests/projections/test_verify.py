"""Rows that are not what the log makes of them are found, named field by field, and mended without touching others."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from eventfold import Application
from projections.parked import Mended
from projections.target import Change
from projections.targets.sql_generation import SqlGeneration
from tests.projections.shop import Added, Total, divided, fill, open_app, straight, totals


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with open_app(url) as app:
        fill(app.store, 60)
        app.catch_up()
        yield app


def spoil(app: Application) -> dict[Any, str]:
    """One row changed, one gone, one that nobody made; behind the framework's back."""
    table: Any = app.engine.find("totals")[0].target
    physical = table._physical(table.generations()[-1].number)
    buckets = [each.bucket for each in app.query(Total).order_by("bucket")]
    with app.store.backend.sql.transaction() as connection:  # type: ignore[union-attr]  # a SQL database
        connection.execute(update(physical).where(physical.c.bucket == buckets[0]).values(amount=-1))
        connection.execute(delete(physical).where(physical.c.bucket == buckets[1]))
        connection.execute(insert(physical).values(bucket=99, events=1, amount=1))
    return {buckets[0]: "different", buckets[1]: "missing", 99: "extra"}


def test_given_rows_as_the_log_makes_them_then_none_differs(app: Application) -> None:
    for name in ("stock", "totals"):
        [verified] = app.verify(name)
        assert verified.faults == []
        assert verified.rows > 0


def test_given_spoilt_rows_then_each_is_named_with_what_differs_and_nothing_is_changed(app: Application) -> None:
    spoilt = spoil(app)
    [verified] = app.verify("totals")
    assert {each.key: each.kind for each in verified.faults} == spoilt
    [changed] = [each for each in verified.faults if each.kind == "different"]
    assert [(each.field, each.before) for each in changed.differences] == [("amount", -1)]
    assert not any(each.repaired for each in verified.faults)
    assert app.query(Total).get(99) is not None


def test_when_repaired_then_the_rows_are_as_they_should_be_and_the_position_is_where_it_was(app: Application) -> None:
    spoil(app)
    track = app.engine.find("totals")[0]
    before = track.target.generations()[-1].position
    [verified] = app.verify("totals", repair=True)
    assert all(each.repaired for each in verified.faults)
    assert {row.bucket: row for row in app.query(Total)} == straight(totals, app.store.read_log())
    assert track.target.generations()[-1].position == before
    assert app.verify("totals")[0].faults == []


def test_a_repair_raises_the_epoch_so_that_a_batch_folded_upon_the_faulty_row_is_refused(app: Application) -> None:
    spoilt = next(iter(spoil(app)))
    track = app.engine.find("totals")[0]
    at = track.generation.info.checkpoints[0]
    late = Change({spoilt: Total(spoilt, 1, -2)}, at.position, at.position + 1, 1, epoch=at.epoch)

    app.verify("totals", repair=True)

    assert not track.generation.apply(late)
    assert app.verify("totals")[0].faults == []


def test_given_a_worker_that_moves_a_row_between_the_comparison_and_the_repair_then_it_is_compared_again(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = next(iter(spoil(app)))
    mend, moved = SqlGeneration.mend, list[bool]()

    def after_a_step(generation: SqlGeneration, mended: Mended) -> bool:
        if not moved:
            app.store.append("item-i0", [Added(spoilt)])
            moved.append(app.engine.step())
        return mend(generation, mended)

    monkeypatch.setattr(SqlGeneration, "mend", after_a_step)
    app.verify("totals", repair=True)

    assert moved == [True]
    assert {row.bucket: row for row in app.query(Total)} == straight(totals, app.store.read_log())


def test_a_sample_compares_so_many_rows(app: Application) -> None:
    spoil(app)
    [verified] = app.verify("totals", sample=2)
    assert verified.rows == 2
    assert len(verified.faults) <= 2


def test_given_a_worker_that_moves_rows_meanwhile_then_none_is_called_faulty(app: Application) -> None:
    done = threading.Event()

    def write() -> None:
        for i in range(20):
            fill(app.store, 3, seed=60 + 3 * i)
        done.set()

    writer = threading.Thread(target=write)
    with app.worker():
        writer.start()
        while not done.is_set():
            assert app.verify("stock")[0].faults == []
        writer.join()


def test_partitions_that_stand_at_different_positions_are_each_compared_where_they_stand(sqlite_url: str) -> None:
    with open_app(sqlite_url, divided(2)) as app:
        fill(app.store, 30)
        app.catch_up()
        fill(app.store, 10, seed=30)
        lane = app.engine.find("stock")[0].lanes[0]
        app.engine._batches.run([lane], lane.position, app.store.head())
        assert len({each.position for each in app.engine.find("stock")[0].target.generations()[-1].checkpoints}) == 2
        assert app.verify("stock")[0].faults == []
