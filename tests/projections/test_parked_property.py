"""Whatever the events, the poison among them, the batches, crashes and redeliveries: what is not parked is one straight fold."""

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventfold import Event, EventStore
from projections import Engine, Poison
from projections import batch as batch_module
from projections.mending import parked_of, retry_parked
from projections.writing import Outcome, Work
from tests.projections.fragile import Mood, apart, assert_apart, bound
from tests.projections.shop import Added, Closed, Moved, Noise, open_shop, rows_of

items = st.sampled_from(["a", "b", "c"])
amounts = st.sampled_from([1, 2, 13])
events = st.one_of(st.builds(Added, amounts), st.builds(Moved, items, amounts), st.just(Closed()), st.just(Noise()))
appends = st.tuples(st.just("append"), items, st.lists(events, min_size=1, max_size=5))
steps = st.tuples(st.just("step"), st.integers(1, 4), st.integers(1, 7))
others = st.tuples(st.sampled_from(["restart", "crash before", "crash after", "retry"]), st.just(0), st.just(0))


class Crash(BaseException):
    """Ends a step as a power cut would."""


def crash(engine: Engine, *, written: bool) -> None:
    """A step that ends before its write, or after it and before the worker knows: then the batch is delivered again."""
    write_all = batch_module.write_all

    def crashing(work: list[Work]) -> list[Outcome]:
        if written:
            write_all(work)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "write_all", crashing)
        with contextlib.suppress(Crash):
            engine.step()


def open_piles(store: EventStore, mood: Mood, attempts: int, size: int, partitions: int) -> Engine:
    policy = Poison(attempts=attempts, pause=0.0)
    return Engine(store, [bound(mood, store, policy, partitions)], batch_size=size)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(appends, steps, others), max_size=25), st.integers(1, 3), st.integers(1, 3))
def test_any_events_poison_batches_crashes_and_redeliveries_give_the_rows_of_one_straight_fold_over_what_is_not_parked(
    actions: list[tuple[str, object, object]], attempts: int, partitions: int
) -> None:
    mood = Mood()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'events.db'}"
        store = open_shop(url)
        engine = open_piles(store, mood, attempts, 5000, partitions)
        for action in actions:
            match action:
                case ("append", str(item), list(chosen)):
                    found: list[Event] = chosen
                    store.append(f"item-{item}", found)
                case ("step", int(count), int(size)):
                    engine = open_piles(store, mood, attempts, size, partitions)
                    for _ in range(count):
                        engine.step()
                case ("crash before" | "crash after", _, _):
                    crash(engine, written=action[0] == "crash after")
                case ("retry", _, _):
                    assert all(each.left for each in retry_parked(store, engine.tracks))
                case _:
                    store.close()
                    store = open_shop(url)
                    engine = open_piles(store, mood, attempts, 5000, partitions)
        drain(engine)
        assert_apart(mood, store, engine)

        mood.broken = False
        retry_parked(store, engine.tracks)
        drain(engine)

        assert parked_of(engine.tracks[0]) == []
        assert rows_of(engine, "piles") == apart(mood, store.read_log())[0]
        wanted = [each for each in store.read_log() if isinstance(each.event, (Added, Moved, Closed))]
        assert engine.tracks[0].generation.info.events == len(wanted)
        store.close()


def drain(engine: Engine) -> None:
    """Steps until everything is folded or parked."""
    while engine.tracks[0].generation.info.position < engine.store.head():
        engine.step()
