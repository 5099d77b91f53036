"""Whatever the history, and wherever snapshots were taken: a load that begins with one gives what replay gives."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import EventStore, NewEvent, open_store
from eventstore.loading import fold_stream, load_stream, moment
from eventstore.recorded import to_datetime
from eventstore.testing.contract.snapshots import Purse
from eventstore.testing.contract.vocabulary import EVENTS, Deposited, Renamed, Withdrawn

amounts = st.integers(0, 10**6)
happenings = st.one_of(
    st.builds(Deposited, amounts),
    st.builds(Withdrawn, amounts),
    st.builds(Renamed, st.text("ab\u00e9\u2713", max_size=5)),
).map(NewEvent)
steps = st.lists(
    st.one_of(
        st.lists(happenings, min_size=1, max_size=4).map(lambda events: ("append", events)),
        st.just(("append elsewhere", None)),
        st.just(("snapshot", None)),
        st.just(("load", None)),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(history=steps, cached=st.booleans())
def test_state_by_replay_equals_state_by_snapshot_at_any_version(history: list[tuple[str, Any]], cached: bool) -> None:
    with open_store("memory://", events=EVENTS, cache_states=int(cached)) as store:
        play(store, history)

        check(store)


def test_the_same_in_a_database(tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("histories")
    count = 0

    @settings(max_examples=15, deadline=None)
    @given(history=steps)
    def any_history(history: list[tuple[str, Any]]) -> None:
        nonlocal count
        count += 1
        with open_store(f"sqlite:///{folder / f'{count}.db'}", events=EVENTS, synchronous="NORMAL") as store:
            play(store, history)
            check(store)

    any_history()


def play(store: EventStore, history: list[tuple[str, Any]]) -> None:
    for step, events in history:
        match step:
            case "append":
                store.append("account-1", events)
            case "append elsewhere":
                store.append("account-2", [Deposited(1)])
            case "snapshot":
                store.snapshots.take(Purse, "account-1")
            case "load":
                store.load(Purse, "1")


def check(store: EventStore) -> None:
    rows = list(store.read_stream("account-1"))
    for version in range(len(rows) + 2):
        assert_equal(store, moment(at_version=version))
    for row in rows:
        assert_equal(store, moment(position=row.position))
        assert_equal(store, moment(at=to_datetime(row.recorded_us)))
        assert_equal(store, moment(position=row.position, at_version=row.version // 2))
    assert_equal(store, moment())


def assert_equal(store: EventStore, part: Any) -> None:
    loaded, replayed = store.load(Purse, "1", part), load_stream(store.backend, Purse, "account-1", part)
    assert (loaded.state, loaded.version, loaded.position) == (replayed.state, replayed.version, replayed.position)
    assert loaded.snapshot <= loaded.version
    assert fold_stream(store.backend, Purse, "account-1", part).state == loaded.state
