"""Pausing, resuming and resetting a projection, in whatever process it is kept."""

import pytest

from eventfold import EventParked, EventStore, ProjectionPaused
from eventstore.token import token_of
from projections import Engine, rebuild, status_of
from projections import batch as batch_module
from projections.leases import Leases
from projections.mending import discard_parked
from projections.pausing import pause, reset, resume
from projections.rebuild import outdated
from projections.writing import Outcome, Work
from tests.projections.conftest import OpenShop
from tests.projections.fragile import Mood, Pile, bound
from tests.projections.shop import (
    Added,
    Stock,
    Total,
    assert_straight,
    fill,
    open_app,
    open_engine,
    position_of,
    rows_of,
)


def test_a_paused_projection_stands_still_in_every_process_and_the_others_go_on(open_store: OpenShop) -> None:
    store, elsewhere = open_store(), open_store()
    engine, other = open_engine(store), open_engine(elsewhere)
    fill(store, 10)
    engine.catch_up()
    pause(elsewhere, other.find("stock"))

    fill(store, 10, seed=10)
    for each in (engine, other):
        with pytest.raises(ProjectionPaused, match=r"'stock' is paused.*`eventfold projections resume stock`"):
            each.catch_up()

    assert (position_of(engine, "stock"), position_of(engine, "totals")) == (10, 20)
    status = status_of(store, engine.find("stock")[0])
    assert (status.state, status.lag, status.error) == ("paused", 10, None)
    assert_straight(store, engine)


def test_a_resumed_projection_goes_on_from_where_it_stands(store: EventStore) -> None:
    engine = open_engine(store)
    pause(store, engine.find("stock"))
    fill(store, 10)
    with pytest.raises(ProjectionPaused):
        engine.catch_up()

    resume(store, engine.find("stock"))
    engine.catch_up()

    assert position_of(engine, "stock") == store.head()
    assert status_of(store, engine.find("stock")[0]).state == "live"
    assert_straight(store, engine)


def test_a_batch_in_hand_is_refused_when_its_projection_was_paused_meanwhile(
    open_store: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, elsewhere = open_store(), open_store()
    engine, other = open_engine(store, batch_size=3), open_engine(elsewhere)
    fill(store, 20)
    engine.step()
    write_all = batch_module.write_all

    def late(work: list[Work]) -> list[Outcome]:
        monkeypatch.undo()
        pause(elsewhere, other.find("stock"))
        return write_all(work)

    monkeypatch.setattr(batch_module, "write_all", late)
    stood = position_of(engine, "stock")
    for _ in range(10):
        for track in engine.tracks:
            track.retry_now()
        engine.step()

    assert 0 < stood == position_of(engine, "stock") < position_of(engine, "totals")


def test_a_query_that_needs_a_paused_projection_to_go_on_says_so_and_others_are_answered(url: str) -> None:
    with open_app(url) as app:
        fill(app.store, 10)
        app.catch_up()
        before = app.query(Stock).all()
        app.pause("stock")
        seen = token_of(app.store.head())
        fill(app.store, 1, seed=10)
        unseen = token_of(app.store.head())

        with pytest.raises(ProjectionPaused, match="stale=True takes the rows as they are"):
            app.query(Stock).all(after=unseen)
        assert app.query(Stock).all(after=seen) == app.query(Stock).all(after=unseen, stale=True) == before
        assert app.query(Total).count(after=unseen) > 0
        app.resume("stock")
        assert app.query(Stock).all(after=unseen) is not None


def test_the_rows_of_a_paused_projection_can_be_read_by_a_process_that_has_just_begun(url: str) -> None:
    with open_app(url) as app:
        fill(app.store, 10)
        app.catch_up()
        rows = app.query(Stock).all()
        app.pause("stock")

    with open_app(url) as begun:
        assert begun.query(Stock).all() == rows
        assert begun.query(Stock).count(after=token_of(begun.store.head())) == len(rows)


def test_a_projection_can_be_paused_before_there_are_rows_and_stays_so_over_a_rebuild(store: EventStore) -> None:
    engine = open_engine(store)
    track = engine.find("stock")[0]
    pause(store, [track])
    fill(store, 10)
    with pytest.raises(ProjectionPaused):
        engine.catch_up()

    rebuild(store, track)

    assert status_of(store, track).state == "paused"
    assert position_of(engine, "stock") == store.head()
    fill(store, 1, seed=10)
    with pytest.raises(ProjectionPaused):
        engine.catch_up()
    assert position_of(engine, "stock") == store.head() - 1
    assert not outdated(track)


def test_a_worker_goes_on_with_what_is_left_and_takes_a_resumed_projection_up_again(store: EventStore) -> None:
    engine = open_engine(store)
    leases = Leases(engine, name="w", seconds=600.0)
    pause(store, engine.find("stock"))
    leases.keep()
    fill(store, 10)
    while engine.step(owner="w"):
        pass
    left = (position_of(engine, "stock"), position_of(engine, "totals"))

    resume(store, engine.find("stock"))
    leases.keep()
    while engine.step(owner="w"):
        pass

    assert left == (0, 10)
    assert position_of(engine, "stock") == 10


def test_a_reset_projection_is_empty_and_is_folded_anew_by_whoever_keeps_it(open_store: OpenShop) -> None:
    store, elsewhere = open_store(), open_store()
    engine, other = open_engine(store), open_engine(elsewhere, batch_size=4)
    fill(store, 30)
    other.catch_up()
    rows = rows_of(engine, "stock")

    reset(store, engine.find("stock"))
    emptied = (rows_of(engine, "stock"), position_of(engine, "stock"))
    other.step()
    begun = position_of(engine, "stock")
    other.catch_up()

    assert emptied == ({}, 0)
    assert 0 < begun < store.head()
    assert rows_of(engine, "stock") == rows
    assert [each.state for each in engine.find("stock")[0].target.generations()] == ["retired", "live"]


def test_a_reset_folds_what_was_parked_and_what_was_discarded(store: EventStore) -> None:
    mood = Mood()
    engine = Engine(store, [bound(mood, store)])
    store.append("item-a", [Added(1), Added(13), Added(2)])
    store.append("item-b", [Added(13)])
    with pytest.raises(EventParked):
        engine.catch_up()
    discard_parked(store, engine.tracks, "b")
    mood.broken = False

    reset(store, engine.tracks)
    engine.catch_up()

    assert rows_of(engine, "piles") == {"a": Pile("a", 16, "1,2,3,"), "b": Pile("b", 13, "1,")}
    status = status_of(store, engine.tracks[0])
    assert (status.state, status.parked, status.discarded) == ("live", 0, 0)


def test_a_reset_gives_up_a_rebuild_that_was_begun(store: EventStore) -> None:
    engine = open_engine(store)
    fill(store, 10)
    engine.catch_up()
    track = engine.find("stock")[0]
    track.target.create(track.projection.fingerprint, live=False)

    reset(store, [track])

    assert [(each.number, each.state) for each in track.target.generations()] == [(1, "retired"), (2, "live")]
