"""Whatever the events, the batches and the restarts: the rows are those of one straight fold."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from eventfold import Event
from projections import rebuild
from tests.projections.shop import Added, Closed, Moved, Noise, assert_straight, open_engine, open_shop

items = st.sampled_from(["a", "b", "c", "d"])
events = st.one_of(
    st.builds(Added, st.integers(-20, 20)),
    st.builds(Moved, items, st.integers(-5, 5)),
    st.just(Closed()),
    st.just(Noise()),
)
appends = st.tuples(st.just("append"), items, st.lists(events, min_size=1, max_size=5))
steps = st.tuples(st.just("step"), st.integers(1, 4), st.integers(1, 7))
restarts = st.tuples(st.just("restart"), st.just(0), st.just(0))
rebuilds = st.tuples(st.just("rebuild"), st.integers(1, 4), st.sampled_from(["stock", "totals"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(appends, steps, restarts, rebuilds), max_size=25))
def test_any_events_batches_restarts_and_rebuilds_give_the_rows_of_one_straight_fold(
    actions: list[tuple[str, object, object]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'events.db'}"
        store = open_shop(url)
        engine = open_engine(store)
        for action in actions:
            match action:
                case ("append", str(item), list(chosen)):
                    found: list[Event] = chosen
                    store.append(f"item-{item}", found)
                case ("step", int(count), int(size)):
                    engine = open_engine(store, batch_size=size)
                    for _ in range(count):
                        engine.step()
                    assert all(each.failure is None for each in engine.tracks)
                case ("rebuild", int(max_memory), str(name)):
                    rebuild(store, engine.find(name)[0], max_memory=max_memory, write_seconds=0.0)
                case _:
                    store.close()
                    store = open_shop(url)
                    engine = open_engine(store)
        engine.catch_up()
        assert_straight(store, engine)
        store.close()
