"""What is done about parked events: retried in order, or given up, beside workers that are at work."""

import random
from collections.abc import Callable

import pytest

from eventfold import EventParked, EventStore, InvalidInput, NeedsRebuild, NotFound, SqlTable
from projections import Engine, ModelQuery, rebuild, status_of
from projections import batch as batch_module
from projections.mending import discard_parked, parked_of, retry, retry_parked, waiting
from projections.partition import partition_of
from projections.writing import Outcome, Work
from tests.projections.conftest import OpenShop
from tests.projections.fragile import AT_ONCE, Mood, Pile, apart, bound, fragile
from tests.projections.shop import Added, Closed, Moved, both, rows_of
from tests.projections.test_parked import Picky, levels


def broken_engine(store: EventStore, mood: Mood) -> Engine:
    """An engine that has parked the events of "a" from position 2 on."""
    store.append("item-a", [Added(1), Added(13), Added(2), Added(3)])
    store.append("item-b", [Added(4)])
    engine = Engine(store, [bound(mood, store)])
    with pytest.raises(EventParked):
        engine.catch_up()
    return engine


def test_a_retry_folds_the_parked_events_in_order_and_the_key_goes_on(store: EventStore) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)
    mood.broken = False

    retried = retry_parked(store, engine.tracks)
    store.append("item-a", [Added(5)])
    engine.catch_up()

    assert [(each.key, each.folded, each.left, each.error) for each in retried] == [("a", 3, 0, None)]
    assert rows_of(engine, "piles") == {"a": Pile("a", 24, "1,2,3,4,5,"), "b": Pile("b", 4, "1,")}
    status = status_of(store, engine.tracks[0])
    assert (status.state, status.parked, status.error, status.events) == ("live", 0, None, 6)


def test_a_retry_that_fails_again_changes_no_row_and_counts_the_attempt(store: EventStore) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)
    before = rows_of(engine, "piles")

    retried = [retry(store, engine.tracks[0], "a") for _ in range(2)]

    assert [(each.folded, each.left, each.error) for each in retried] == [(0, 3, "ArithmeticError: thirteen")] * 2
    assert rows_of(engine, "piles") == before
    assert [(each.position, each.attempts, each.error) for each in waiting(engine.tracks[0], "a")] == [
        (2, 3, "ArithmeticError: thirteen"),
        (3, 0, None),
        (4, 0, None),
    ]


def test_a_retry_goes_as_far_as_it_can(store: EventStore) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)
    store.append("item-a", [Moved("c", 1), Added(13)])
    engine.catch_up()
    discard_parked(store, engine.tracks, "a", position=2)

    retried = retry(store, engine.tracks[0], "a")

    assert (retried.folded, retried.left, retried.error) == (3, 1, "ArithmeticError: thirteen")
    assert rows_of(engine, "piles")["a"] == Pile("a", 7, "1,3,4,5,")
    assert [(each.position, each.attempts) for each in waiting(engine.tracks[0], "a")] == [(7, 1)]


@pytest.mark.parametrize("target", [SqlTable("levels", unique=["amount"])], ids=["unique"])
def test_a_retry_whose_row_the_database_refuses_leaves_the_rest_waiting(store: EventStore, target: SqlTable) -> None:
    store.append("item-a", [Added(1)])
    store.append("item-b", [Added(1)])
    store.append("item-b", [Added(2)])
    store.append("item-b", [Added(1)])
    engine = Engine(store, [levels.into(target, poison=AT_ONCE)], batch_size=1)
    with pytest.raises(EventParked):
        engine.catch_up()
    discard_parked(store, engine.tracks, "b", position=2)

    retried = retry(store, engine.tracks[0], "b")

    assert (retried.folded, retried.left) == (1, 1)
    assert "the target refuses the row" in str(retried.error)
    assert rows_of(engine, "levels")["b"].amount == 2


def test_discarded_events_are_in_no_row_and_later_ones_are_folded_again(store: EventStore) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)

    discarded = discard_parked(store, engine.tracks, "a")
    store.append("item-a", [Added(5)])
    engine.catch_up()

    status = status_of(store, engine.tracks[0])
    assert discarded == 3
    assert rows_of(engine, "piles")["a"] == Pile("a", 6, "1,5,")
    assert (status.state, status.parked, status.discarded) == ("live", 0, 3)


def test_one_event_can_be_discarded_and_the_others_of_its_key_retried(store: EventStore) -> None:
    engine = broken_engine(store, Mood())

    discarded = discard_parked(store, engine.tracks, "a", position=2)
    left = waiting(engine.tracks[0], "a")
    retry(store, engine.tracks[0], "a")

    assert discarded == 1
    assert [(each.position, each.error) for each in left] == [
        (3, "the event before it, at position 2, was discarded; it has not been tried since"),
        (4, None),
    ]
    assert rows_of(engine, "piles")["a"] == Pile("a", 6, "1,3,4,")


def test_two_targets_of_which_one_has_discarded_events_keep_their_own_rows(store: EventStore) -> None:
    mood = Mood()
    mood.broken = False
    engine = Engine(store, [fragile(mood).into(SqlTable("plain"), Picky("picky"), poison=AT_ONCE)])
    store.append("item-a", [Added(200)])
    with pytest.raises(EventParked):
        engine.catch_up()
    discard_parked(store, engine.tracks, "a")

    store.append("item-a", [Added(2)])
    engine.catch_up()

    rows = [ModelQuery[Pile](engine, track).all() for track in engine.tracks]
    assert rows == [[Pile("a", 202, "1,2,")], [Pile("a", 2, "2,")]]


def test_what_is_not_parked_is_neither_retried_nor_discarded(store: EventStore) -> None:
    engine = broken_engine(store, Mood())

    with pytest.raises(NotFound, match="no event of key 'z' is parked; see `eventfold projections parked list`"):
        retry_parked(store, engine.tracks, ["z"])
    with pytest.raises(NotFound, match="no event of key 'b' is parked"):
        discard_parked(store, engine.tracks, "b")
    with pytest.raises(NotFound, match="no event of key 'a' at position 1 is parked in 'piles'"):
        discard_parked(store, engine.tracks, "a", position=1)
    with pytest.raises(
        InvalidInput, match="cannot be retried, because later events of the same rows are folded already"
    ):
        retry(store, engine.tracks[0], None)


def test_a_changed_projection_is_rebuilt_and_not_retried(store: EventStore) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)
    newer = fragile(mood)
    newer.version = 2
    changed = Engine(store, [newer.into(SqlTable("piles"))])
    mood.broken = False

    with pytest.raises(NeedsRebuild, match="which folds parked events too"):
        retry(store, changed.tracks[0], "a")
    rebuild(store, changed.tracks[0])

    assert parked_of(changed.tracks[0]) == []
    assert rows_of(engine, "piles")["a"] == Pile("a", 19, "1,2,3,4,")


Write = Callable[[list[Work]], list[Outcome]]


def test_a_follower_in_a_batch_in_hand_is_not_parked_any_more_when_its_key_was_retried_meanwhile(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mood = Mood()
    engine = broken_engine(store, mood)
    mood.broken = False
    store.append("item-a", [Added(5)])
    write_all: Write = batch_module.write_all

    def late(work: list[Work]) -> list[Outcome]:
        monkeypatch.undo()
        retry(store, engine.tracks[0], "a")
        return write_all(work)

    monkeypatch.setattr(batch_module, "write_all", late)
    engine.catch_up()

    assert parked_of(engine.tracks[0]) == []
    assert rows_of(engine, "piles")["a"] == Pile("a", 24, "1,2,3,4,5,")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_retried_and_parked_between_a_workers_fold_and_its_write_no_event_is_lost_or_folded_twice(
    open_store: OpenShop, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers over one read model, and somebody who retries, appends and breaks and mends the fold at the worst moments."""
    chance, mood = random.Random(seed), Mood()
    stores = [open_store() for _ in range(2)]
    partitions = chance.randrange(1, 4)
    engines = [
        Engine(each, [bound(mood, each, partitions=partitions)], batch_size=chance.randrange(1, 9)) for each in stores
    ]
    items = "abc"
    write_all: Write = batch_module.write_all
    nested = [0]
    retried = list[int]()

    def append() -> None:
        event = chance.choice(
            [Added(chance.randrange(5)), Added(13), Added(13), Moved(chance.choice(items), 2), Closed()]
        )
        stores[0].append(f"item-{chance.choice(items)}", [event] * chance.randrange(1, 4))

    def mend() -> None:
        mood.broken = False
        results = retry_parked(stores[1], engines[1].tracks)
        mood.broken = True
        retried.extend(each.folded for each in results)

    def interrupted(work: list[Work]) -> list[Outcome]:
        if nested[0] < 2 and chance.randrange(3):
            nested[0] += 1
            idle = [each.step for each in engines if not each.lock.locked()]
            chance.choice([append, mend, mend, *idle])()
            nested[0] -= 1
        return write_all(work)

    monkeypatch.setattr(batch_module, "write_all", interrupted)
    for _ in range(40):
        chance.choice([append, append, engines[0].step, engines[0].step, engines[1].step, mend])()
        rows_hold(stores[0], engines[0])
    monkeypatch.undo()
    mood.broken = False
    for engine in engines:
        engine.catch_up()
    retry_parked(stores[0], engines[0].tracks)
    engines[0].catch_up()

    assert sum(retried) > 0
    assert parked_of(engines[0].tracks[0]) == []
    assert rows_of(engines[0], "piles") == apart(mood, stores[0].read_log())[0]
    wanted = sum(isinstance(each.event, (Added, Moved, Closed)) for each in stores[0].read_log())
    assert engines[0].tracks[0].generation.info.events == wanted


def rows_hold(store: EventStore, engine: Engine) -> None:
    """Each row is a straight fold of its key up to the first event that waits for it, and no event of the key is missing there."""
    track = engine.tracks[0]
    info = track.generation.info
    parked = {each.key: each for each in parked_of(track)}
    mended = Mood()
    mended.broken = False
    for number, checkpoint in enumerate(info.checkpoints):
        for key, row in rows_of(engine, "piles").items():
            if partition_of(key, len(info.checkpoints)) == number:
                upto = parked[key].position - 1 if key in parked else checkpoint.position
                assert apart(mended, store.read_log(up_to=upto))[0].get(key) == row, (key, checkpoint, parked)
        for key, waits in parked.items():
            if partition_of(key, len(info.checkpoints)) == number:
                events = [each for each in store.read_log(up_to=checkpoint.position) if each.position >= waits.position]
                assert waits.events == sum(key in both(each) for each in events)
