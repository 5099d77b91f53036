"""An aggregate with nested values of every kind, and random events that turn it upside down."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from eventstore import Aggregate, Event, EventStore, NewEvent, open_store


class Bed(msgspec.Struct, frozen=True):
    plants: tuple[str, ...] = ()
    owner: str | None = None


class Planted(Event):
    bed: str
    plant: str


class Pulled(Event):
    bed: str


class Given(Event):
    bed: str
    owner: str | None


class Cleared(Event):
    pass


class Watered(Event):
    litres: int


class Visited(Event):
    who: str


GardenEvent = Planted | Pulled | Given | Cleared | Watered | Visited


class Garden(Aggregate[GardenEvent]):
    beds: dict[str, Bed] = msgspec.field(default_factory=dict)
    visitors: frozenset[str] = frozenset()
    litres: int = 0
    last: Bed | None = None
    log: tuple[Any, ...] = ()

    def evolve(self, event: GardenEvent) -> "Garden":
        match event:
            case Planted(name, plant):
                bed = self.beds.get(name, Bed())
                return self._with(name, replace(bed, plants=(*bed.plants, plant)))
            case Pulled(name):
                bed = self.beds.get(name, Bed())
                return self._with(name, replace(bed, plants=bed.plants[1:]))
            case Given(name, owner):
                return self._with(name, replace(self.beds.get(name, Bed()), owner=owner))
            case Cleared():
                return replace(self, beds={}, visitors=frozenset(), last=None, log=())
            case Watered(litres):
                return replace(self, litres=self.litres + litres, log=(*self.log, litres, {"sum": [self.litres]}))
            case Visited(who):
                return replace(self, visitors=self.visitors ^ {who})

    def _with(self, name: str, bed: Bed) -> "Garden":
        return replace(self, beds={**self.beds, name: bed}, last=bed)


_names = st.sampled_from(["a", "b", "c-1"])
events: st.SearchStrategy[GardenEvent] = st.one_of(
    st.builds(Planted, _names, st.sampled_from(["rose", "oak"])),
    st.builds(Pulled, _names),
    st.builds(Given, _names, st.sampled_from([None, "ada", "bob"])),
    st.builds(Cleared),
    st.builds(Watered, st.integers(-2, 2)),
    st.builds(Visited, st.sampled_from(["ada", "bob"])),
)
histories = st.lists(events, min_size=1, max_size=25)


def garden_of(history: list[GardenEvent], days: list[int] | None = None) -> EventStore:
    """A log that holds the garden "g", its events occurred on these days of 2024, one append each."""
    store = open_store("memory://")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for i, event in enumerate(history):
        occurred = start + timedelta(days=days[i % len(days)]) if days else None
        store.append("garden-g", [NewEvent(event, occurred_at=occurred)])
    return store
