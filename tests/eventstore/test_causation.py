"""Causes and effects of events that are read as others, as several, as none, or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest

from eventstore import Event, EventStore, NewEvent, UnknownEvent, open_store, upcasts
from eventstore.causation import causes, effects
from eventstore.upcaster import JsonObject


def old(name: str) -> type[Any]:
    class Old(Event, event_type=name):
        values: list[int]

    return Old


@upcasts("Several", 1, into={"Counted": 1})
def one_by_one(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for each in data["values"]:
        yield "Counted", {"value": each}


class Counted(Event, upcasters=[one_by_one]):
    value: int


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url, events=[Counted]) as store:
        yield store


def chain(store: EventStore, *events: Event) -> list[str]:
    ids: list[str] = []
    for event in events:
        [made] = store.append("count-1", [NewEvent(event, causation_id=ids[-1] if ids else None)]).event_ids
        ids.append(made)
    return ids


def test_an_event_that_is_read_as_several_or_as_none_stands_in_the_tree_once(store: EventStore) -> None:
    ids = chain(store, Counted(1), old("Several")([2, 3]), old("Several")([]), Counted(4))

    found = effects(store, ids[0])

    assert [each.id for each in found] == ids
    assert [each.recorded and each.recorded.event for each in found] == [
        Counted(1),
        Counted(2),
        UnknownEvent("Several", 1, {"values": []}),
        Counted(4),
    ]
    assert [each.id for each in causes(store, ids[3])] == ids[::-1]
    assert [each.id for each in causes(store, ids[2])] == ids[2::-1]


def test_a_cause_that_is_written_in_capitals_is_the_same_event(store: EventStore) -> None:
    [cause] = store.append("count-1", [Counted(1)]).event_ids
    command = "018F3C5E-7B0A-7C3D-9E2F-1A2B3C4D5E6F"
    [effect] = store.append("count-1", [NewEvent(Counted(2), causation_id=cause.upper())]).event_ids
    [commanded] = store.append("count-1", [NewEvent(Counted(3), causation_id=command)]).event_ids

    assert [each.id for each in causes(store, effect)] == [effect, cause]
    assert [each.id for each in effects(store, cause)] == [cause, effect]
    assert [each.id for each in effects(store, command)] == [command.lower(), commanded]


def test_an_event_that_cannot_be_read_hides_nothing(store: EventStore) -> None:
    ids = chain(store, Counted(1), old("Counted")([2]), Counted(3))

    assert [each.id for each in effects(store, ids[0])] == ids
    assert [each.id for each in causes(store, ids[2])] == ids[::-1]
    unreadable = effects(store, ids[0])[1].recorded
    assert unreadable is not None
    assert unreadable.event == UnknownEvent("Counted", 1, {"values": [2]})
