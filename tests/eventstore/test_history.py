import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import (
    Aggregate,
    Difference,
    Event,
    EventStore,
    NewEvent,
    StreamNotFound,
    UnknownEventType,
    open_store,
    upcasts,
)
from eventstore.blame import blame
from eventstore.difference import plain
from eventstore.history import history
from eventstore.loading import load, moment
from eventstore.recorded import to_datetime
from eventstore.testing.contract.vocabulary import Deposited
from eventstore.upcaster import JsonObject
from tests.eventstore.garden import Cleared, Garden, GardenEvent, Planted, Watered, garden_of, histories


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url) as store:
        yield store


def test_each_event_shows_what_it_changed(store: EventStore) -> None:
    store.append("garden-g", [Watered(2), Planted("a", "oak")])

    first, second = history(store.backend, Garden, "g")

    assert [(each.field, each.after) for each in first.changes] == [
        ("litres", 2),
        ("log[0]", 2),
        ("log[1]", {"sum": [0]}),
    ]
    assert second.changes[0] == Difference(("beds", "a"), "added", None, {"plants": ("oak",), "owner": None})
    assert second.state == load(store.backend, Garden, "g").state
    assert (second.version, second.recorded.event) == (2, Planted("a", "oak"))


def test_an_event_that_changed_nothing_is_in_it_too(store: EventStore) -> None:
    store.append("garden-g", [Cleared()])

    [step] = history(store.backend, Garden, "g")

    assert step.changes == ()


def test_a_stream_of_which_every_event_is_retired_has_a_history_without_steps(store: EventStore) -> None:
    class Shed(Aggregate[Planted], category="garden", retired=["Deposited"]):
        pass

    store.append("garden-g", [Deposited(1)])

    assert list(history(store.backend, Shed, "g")) == []
    with pytest.raises(StreamNotFound):
        list(history(store.backend, Shed, "g", moment(position=0)))


def test_it_says_when_and_by_whom(store: EventStore) -> None:
    day = datetime(1997, 1, 1, tzinfo=UTC)
    store.append("garden-g", [NewEvent(Watered(2), occurred_at=day, metadata={"actor": "ada", "page": 3})])
    store.append("garden-g", [NewEvent(Watered(2), metadata={"actor": {"id": 7}})])
    store.append("garden-g", [NewEvent(Watered(2), metadata={"page": 4}), Watered(1)])

    steps = list(history(store.backend, Garden, "g"))

    assert steps[0].occurred_at == day
    assert [each.actor for each in steps] == ["ada", '{"id":7}', None, None]


def test_no_events_at_all_or_none_at_that_moment_is_an_error_that_names_the_stream(store: EventStore) -> None:
    store.append("garden-g", [Watered(2)])

    with pytest.raises(StreamNotFound, match="garden-x"):
        list(history(store.backend, Garden, "x"))
    with pytest.raises(StreamNotFound, match="garden-g"):
        list(history(store.backend, Garden, "g", moment(at=datetime(1997, 1, 1, tzinfo=UTC))))


def test_an_event_that_the_aggregate_does_not_declare_is_an_error_that_names_it(store: EventStore) -> None:
    store.append("garden-g", [Watered(2), Deposited(1)])

    with pytest.raises(UnknownEventType, match=r"version 2 .*Deposited"):
        list(history(store.backend, Garden, "g"))


def test_an_event_that_is_read_as_several_is_several_steps_of_one_version(sqlite_url: str) -> None:
    class Bulk(Event, event_type="Bulk"):
        litres: list[int]

    @upcasts("Bulk", 1, into={"Poured": 1})
    def one_by_one(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
        for each in data["litres"]:
            yield "Poured", {"litres": each}

    class Poured(Event, upcasters=[one_by_one]):
        litres: int

    class Can(Aggregate[Poured]):
        litres: int = 0

        def evolve(self, event: Poured) -> "Can":
            return Can(self.litres + event.litres)

    with open_store(sqlite_url) as store:
        store.append("can-1", [Poured(1), Bulk([2, 3]), Bulk([]), Poured(4)])

        steps = list(history(store.backend, Can, "1"))

        assert [(each.version, each.recorded.sub_index, each.state.litres) for each in steps] == [
            (1, 0, 1),
            (2, 0, 3),
            (2, 1, 6),
            (4, 0, 10),
        ]
        assert load(store.backend, Can, "1").state == steps[-1].state
        assert [each.recorded and each.recorded.version for each in blame(Can, steps[:3])] == [2]


@given(histories)
def test_applied_step_by_step_it_equals_load_at_every_version(events: list[GardenEvent]) -> None:
    store = garden_of(events)

    made = plain(Garden())
    for step in history(store.backend, Garden, "g"):
        made = applied(made, step.changes)
        loaded = load(store.backend, Garden, "g", moment(at_version=step.version))
        assert step.state == loaded.state
        assert made == jsonlike(loaded.state)


@given(histories, st.lists(st.integers(0, 9), min_size=1), st.data())
def test_up_to_any_moment_its_end_equals_load_at_that_moment(
    events: list[GardenEvent], days: list[int], data: st.DataObject
) -> None:
    store = garden_of(events, days)
    recorded = [each.recorded_us for each in store.read_log()]
    bounds: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "at_version": st.integers(0, len(events)),
                "position": st.integers(0, len(events)),
                "at": st.sampled_from(recorded).map(to_datetime),
                "occurred": st.integers(0, 9).map(lambda day: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)),
            },
        )
    )
    part = moment(**bounds)
    loaded = load(store.backend, Garden, "g", part)

    if loaded.version == 0:
        with pytest.raises(StreamNotFound):
            list(history(store.backend, Garden, "g", part))
    else:
        assert list(history(store.backend, Garden, "g", part))[-1].state == loaded.state


def applied(state: Any, changes: tuple[Difference, ...]) -> Any:
    """The state as JSON, after the changes."""
    state = listed(copy.deepcopy(state))
    removed = [each for each in changes if each.change == "removed"]
    for change in [*(each for each in changes if each.change != "removed"), *reversed(removed)]:  # lists lose their end
        *above, last = change.path
        holder = state
        for part in above:
            holder = holder[part]
        if above == ["visitors"]:  # a set, whose elements are its keys
            state["visitors"] = sorted({*holder} ^ {last})
        elif change.change == "removed":
            del holder[last]
        elif isinstance(holder, list) and last == len(holder):
            holder.append(listed(change.after))
        else:
            holder[last] = listed(change.after)
    return state


def jsonlike(state: Any) -> Any:
    return listed(plain(state))


def listed(value: Any) -> Any:
    """Tuples as lists."""
    if isinstance(value, dict):
        return {key: listed(each) for key, each in value.items()}
    return [listed(each) for each in value] if isinstance(value, list | tuple) else value
