from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import EventStore, InvalidInput, Step
from eventstore.bisect import bisect
from eventstore.history import history
from eventstore.loading import load, moment
from tests.eventstore.garden import Cleared, Garden, GardenEvent, Given, Planted, Watered, garden_of, histories


def bisected(store: EventStore, condition: Any) -> Step[Garden] | None:
    return bisect(history(store.backend, Garden, "g"), condition)


def test_the_first_event_after_which_it_holds_is_found_with_what_it_changed() -> None:
    store = garden_of([Watered(1), Watered(-2), Watered(-1)])

    found = bisected(store, "state.litres < 0")

    assert found is not None
    assert (found.version, found.state.litres, found.changes[0].field) == (2, -1, "litres")


def test_it_is_the_first_time_even_where_the_condition_comes_and_goes() -> None:
    store = garden_of([Watered(1), Watered(-2), Watered(5), *[Watered(1)] * 9, Watered(-99)])

    found = bisected(store, lambda garden: garden.litres < 0)

    assert found is not None
    assert found.version == 2


def test_what_held_before_the_first_event_is_found_after_the_first_event() -> None:
    found = bisected(garden_of([Watered(0), Watered(1)]), "state.litres == 0")

    assert found is not None
    assert found.version == 1


def test_where_it_never_holds_nothing_is_found() -> None:
    assert bisected(garden_of([Watered(1)]), "state.litres > 5") is None


def test_an_error_names_the_version_the_event_and_the_field() -> None:
    store = garden_of([Watered(1), Cleared(), Given("a", "ada")])

    with pytest.raises(
        InvalidInput, match=r"Garden has no field 'liters' \(it has: .*litres.*after version 1 .*Watered"
    ):
        bisected(store, "state.liters < 0")
    with pytest.raises(InvalidInput, match=r"state\.last is null.*after version 1 of 'garden-g', Watered"):
        bisected(store, "state.last.owner == 'ada'")
    found = bisected(store, "state.last != null && state.last.owner == 'ada'")
    assert found is not None
    assert found.version == 3


@given(histories, st.integers(-3, 3), st.sampled_from(["litres", "beds", "plants"]))
def test_it_agrees_with_loading_every_version(events: list[GardenEvent], bound: int, kind: str) -> None:
    text, function = {
        "litres": (f"state.litres > {bound}", lambda garden: garden.litres > bound),
        "beds": (
            f"size(state.beds) + size(state.visitors) == {bound}",
            lambda g: len(g.beds) + len(g.visitors) == bound,
        ),
        "plants": (
            "'a' in state.beds && state.beds.a.plants.exists(each, each == 'oak')",
            lambda garden: "oak" in garden.beds.get("a", Planted("", "")).plants if "a" in garden.beds else False,
        ),
    }[kind]
    store = garden_of(events)
    states = [load(store.backend, Garden, "g", moment(at_version=i)).state for i in range(len(events) + 1)]
    expected = next((i for i in range(1, len(states)) if function(states[i])), None)

    for condition in (text, function):
        found = bisected(store, condition)
        assert (found and found.version) == expected
