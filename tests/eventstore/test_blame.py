from typing import Any

from hypothesis import given

from eventstore import EventStore
from eventstore.blame import Blamed, blame
from eventstore.difference import Path, plain
from eventstore.history import history
from eventstore.loading import load, moment
from tests.eventstore.garden import (
    Cleared,
    Garden,
    GardenEvent,
    Given,
    Planted,
    Pulled,
    Visited,
    Watered,
    garden_of,
    histories,
)


def blamed(store: EventStore) -> list[Blamed]:
    return blame(Garden, history(store.backend, Garden, "g"))


def versions(store: EventStore) -> dict[str, int | None]:
    return {each.field: each.recorded and each.recorded.version for each in blamed(store)}


def test_each_field_names_the_event_that_last_set_it_and_nested_ones_do_so_by_themselves() -> None:
    store = garden_of([Planted("a", "oak"), Given("a", "ada"), Visited("bob"), Watered(1)])

    assert versions(store) == {
        "beds.a.plants[0]": 1,
        "beds.a.owner": 2,
        "visitors.bob": 3,
        "litres": 4,
        "last.plants[0]": 1,
        "last.owner": 2,
        "log[0]": 4,
        "log[1].sum[0]": 4,
    }


def test_a_field_that_no_event_has_set_is_blamed_on_none() -> None:
    assert versions(garden_of([Watered(1)]))["last"] is None


def test_an_event_that_sets_a_field_to_what_it_was_is_not_blamed() -> None:
    assert versions(garden_of([Given("a", "ada"), Given("a", "ada")]))["beds.a.owner"] == 1


def test_what_was_emptied_is_blamed_on_what_emptied_it() -> None:
    found = versions(garden_of([Visited("bob"), Planted("a", "oak"), Pulled("a"), Cleared(), Watered(0)]))

    assert (found["beds"], found["visitors"], found["last"]) == (4, 4, 4)


def test_what_moved_up_in_a_list_is_blamed_on_the_removal() -> None:
    found = versions(garden_of([Planted("a", "oak"), Planted("a", "rose"), Pulled("a")]))

    assert found["beds.a.plants[0]"] == 3


@given(histories)
def test_it_agrees_with_comparing_each_place_in_each_two_states(events: list[GardenEvent]) -> None:
    store = garden_of(events)
    states = [plain(load(store.backend, Garden, "g", moment(at_version=i)).state) for i in range(len(events) + 1)]

    for each in blamed(store):
        assert value_at(states[-1], each.path) == each.value
        changed = [
            i for i in range(1, len(states)) if value_at(states[i], each.path) != value_at(states[i - 1], each.path)
        ]
        assert (each.recorded and each.recorded.version) == (changed[-1] if changed else None), each.field


def value_at(state: Any, path: Path) -> Any:
    """What stands at a path; an ellipsis where nothing does."""
    for part in path:
        if isinstance(state, list) and isinstance(part, str):  # a set
            return part if part in state else ...
        try:
            state = state[part]
        except (KeyError, IndexError, TypeError):
            return ...
    return state
