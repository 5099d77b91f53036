"""Several workers that find one projection outdated: one rebuilds it, and the others go on with all else."""

import threading

from eventfold import EventStore
from projections import Engine, rebuild
from projections.rebuild_turn import RebuildTurn
from projections.target import live_of
from projections.track import Track
from tests.projections.conftest import OpenShop
from tests.projections.shop import assert_straight, divided, fill, open_shop
from tests.projections.test_processes import eventfold

LONG, ENDED = 600.0, 0.0


def outdate(store: EventStore, engine: Engine) -> Track:
    """Rows as another version of the code would have made them."""
    fill(store, 30)
    engine.catch_up()
    assert store.backend.sql is not None
    with store.backend.sql.transaction() as connection:
        connection.exec_driver_sql("UPDATE eventfold_generations SET fingerprint = 'older' WHERE projection = 'stock'")
    return engine.find("stock")[0]


def test_of_two_that_find_it_outdated_one_rebuilds_it_and_the_other_is_told_who(open_store: OpenShop) -> None:
    engines = [Engine(store, divided()) for store in (open_store(), open_store())]
    track = outdate(engines[0].store, engines[0])
    one, other = RebuildTurn(track, "a", LONG), RebuildTurn(engines[1].find("stock")[0], "b", LONG)

    taken = one.take(), other.take(), one.take()
    rebuild(engines[0].store, track, on_progress=one.renewing())
    after = one.take(), other.take()

    assert taken == ("a", "a", "a")
    assert after == (None, None)
    assert [(each.number, each.state) for each in track.target.generations()] == [(1, "retired"), (2, "live")]


def test_when_the_one_that_rebuilds_it_is_silent_then_another_takes_over_what_it_has_begun(
    open_store: OpenShop,
) -> None:
    engines = [Engine(store, divided()) for store in (open_store(), open_store())]
    track = outdate(engines[0].store, engines[0])
    silent, other = RebuildTurn(track, "a", ENDED), RebuildTurn(engines[1].find("stock")[0], "b", LONG)

    assert silent.take() == "a"
    assert other.take() == "b"
    assert [each.number for each in track.target.generations()] == [1, 2]


def test_given_two_worker_processes_then_both_go_on_with_all_else_until_it_is_their_turn_and_one_takes_it(
    postgres_url: str,
) -> None:
    with open_shop(postgres_url) as store:
        engine, waiting = Engine(store, divided()), threading.Event()
        track = outdate(store, engine)
        assert RebuildTurn(track, "somebody", LONG).take() == "somebody"
        building = next(each for each in track.target.generations() if each.state == "building")
        fill(store, 10, seed=30)
        with eventfold(postgres_url, "worker", "run") as first, eventfold(postgres_url, "worker", "run") as second:
            while engine.find("totals")[0].target.generations()[0].position < store.head():
                waiting.wait(0.05)
            assert building.number in {each.number for each in track.target.generations() if each.position == 0}
            track.target.generation(building.number).release(range(len(building.checkpoints)), "somebody")
            while (live := live_of(track.target.generations())) is None or live.position < store.head():
                waiting.wait(0.05)
            said = []
            for process in (first, second):
                process.terminate()
                said.append(process.communicate()[1])

        assert [each.number for each in track.target.generations()] == [1, 2]
        assert sorted("has changed: rebuilding stock" in each for each in said) == [False, True]
        assert any("worker somebody is rebuilding stock; this one goes on with all else" in each for each in said)
        assert_straight(store, engine)
