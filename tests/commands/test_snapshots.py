"""Snapshots that commands leave behind, and begin with."""

import asyncio

import pytest

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Command,
    DefinitionError,
    Event,
    SnapshotPolicy,
    StreamNotFound,
    handles,
)
from eventstore import Recording
from eventstore.loading import load_stream
from eventstore.snapshot import kind_of
from tests.commands.conftest import Driver, OpenDriver


class Added(Event):
    amount: int


class Pot(Aggregate[Added], snapshots=SnapshotPolicy(every=5)):
    total: int = 0

    def evolve(self, event: Added) -> "Pot":
        return Pot(self.total + event.amount)


class SlowPot(Aggregate[Added], snapshots=SnapshotPolicy(slower_than=0)):
    total: int = 0

    def evolve(self, event: Added) -> "SlowPot":
        return SlowPot(self.total + event.amount)


class PlainPot(Aggregate[Added], category="pot"):
    def evolve(self, event: Added) -> "PlainPot":
        return self


class Add(Command):
    pot_id: str
    amounts: tuple[int, ...] = (1,)


class Pour(Command):
    pot_id: str
    slow_pot_id: str


@handles
def add(pot: Pot, command: Add) -> list[Added]:
    return [Added(amount) for amount in command.amounts]


@handles
def pour(pot: Pot, slow_pot: SlowPot, command: Pour) -> dict[str, list[Added]]:
    return {"slow_pot": [Added(pot.total)], "pot": [Added(-pot.total), Added(0)]}


@pytest.fixture
def pots(open_driver: OpenDriver) -> Driver:
    return open_driver(handlers=[add, pour])


def kept(app: Driver, aggregate: type[Aggregate[Added]]) -> list[tuple[str, int, str]]:
    app.store.snapshots.flush()
    assert app.store.backend.snapshots is not None
    found = app.store.backend.snapshots.page(kind_of(aggregate), ("", 0), None, 99)
    return [(each.stream, each.version, each.state) for each in found]


def test_when_enough_events_have_come_then_the_append_leaves_a_snapshot(pots: Driver) -> None:
    for n in range(1, 13):
        pots.dispatch(Add("1"))
        assert kept(pots, Pot) == ([] if n < 5 else [("pot-1", n - n % 5, f'{{"total":{n - n % 5}}}')])
    assert pots.store.load(Pot, "1").snapshot == 10


def test_given_states_in_memory_then_snapshots_are_as_far_apart_as_without(open_driver: OpenDriver) -> None:
    pots = open_driver(handlers=[add, pour], cache_states=9)
    taken = [version for _ in range(12) if (version := after_one_more(pots))]
    assert taken == [5, 10]


def after_one_more(pots: Driver) -> int:
    """The version of the snapshot that one more event has left; 0 where it has left none."""
    before = kept(pots, Pot)
    pots.dispatch(Add("1"))
    after = kept(pots, Pot)
    return after[0][1] if after != before else 0


def test_when_one_append_brings_many_events_then_its_snapshot_is_of_the_last(pots: Driver) -> None:
    pots.dispatch(Add("1", (1,) * 4))
    pots.dispatch(Add("1", (10, 20, 30)))
    assert kept(pots, Pot) == [("pot-1", 7, '{"total":64}')]


def test_when_several_streams_are_written_then_each_has_its_own_snapshot(pots: Driver) -> None:
    pots.dispatch(Add("1", (3, 4, 5)))
    pots.dispatch(Pour("1", "2"))
    assert kept(pots, Pot) == [("pot-1", 5, '{"total":0}')]
    assert kept(pots, SlowPot) == [("slow_pot-2", 1, '{"total":12}')]
    for aggregate, stream in ((Pot, "pot-1"), (SlowPot, "slow_pot-2")):
        loaded = pots.store.load_stream(aggregate, stream)
        assert loaded.snapshot == loaded.version
        assert loaded.state == load_stream(pots.store.backend, aggregate, stream).state


def test_when_the_decision_is_made_on_a_snapshot_then_it_sees_the_events_after_it(pots: Driver) -> None:
    pots.dispatch(Add("1", (1,) * 5))
    kept(pots, Pot)
    pots.store.append("pot-1", [Added(100)])
    pots.dispatch(Pour("1", "2"))
    assert [each.event for each in pots.store.read_stream("slow_pot-2")] == [Added(105)]


def test_reading_leaves_no_snapshot(pots: Driver) -> None:
    pots.store.append("pot-1", [Added(1)] * 20)
    pots.load(Pot, "1")
    assert kept(pots, Pot) == []


def test_a_snapshot_can_be_asked_for(url: str) -> None:
    with Application(url, handlers=[add]) as app:
        app.store.append("pot-1", [Added(1)] * 3)
        assert app.snapshot(Pot, "1") == 3
        assert app.load_with_version(Pot, "1").snapshot == 3
        with pytest.raises(StreamNotFound):
            app.snapshot(Pot, "9")
        with pytest.raises(DefinitionError, match="PlainPot has no snapshots: declare"):
            app.snapshot(PlainPot, "1")


def test_a_snapshot_can_be_asked_for_and_awaited(url: str) -> None:
    async def work() -> None:
        async with AsyncApplication(url, handlers=[add]) as app:
            await app.dispatch(Add("1"))
            assert await app.snapshot(Pot, "1") == 1
            assert (await app.load_with_version(Pot, "1")).snapshot == 1

    asyncio.run(work())


def test_what_has_no_events_has_no_snapshot(pots: Driver) -> None:
    assert pots.store.snapshots.take(Pot, "pot-9") == (0, False)
    assert kept(pots, Pot) == []


class Weighed(Event):
    kilos: float


class Scale(Aggregate[Weighed], snapshots=SnapshotPolicy(every=1), retired=["Announced"]):
    read: tuple[str, ...] = ()

    def evolve(self, event: Weighed) -> "Scale":
        return Scale((*self.read, str(event.kilos)))


class Announced(Event):
    pass


class Weigh(Command):
    scale_id: str


@handles
def weigh(_scale: Scale, _command: Weigh) -> list[Weighed | Announced]:
    return [
        Weighed(2),
        Announced(),
    ]  # a whole number where the field is for floats, and an event that the scale passes over


def test_a_snapshot_is_folded_from_the_events_as_they_are_stored() -> None:
    with Application("memory://", handlers=[weigh], events=Weighed | Announced) as app:
        app.dispatch(Weigh("1"))
        app.store.snapshots.flush()

        found = app.load_with_version(Scale, "1")

        assert (found.snapshot, found.state) == (2, load_stream(app.store.backend, Scale, "scale-1").state)
        assert found.state.read == ("2.0",)


class ScaleObject(Recording[Scale]):
    pass


def test_so_is_one_that_a_recording_object_leaves_behind_when_it_is_saved_again() -> None:
    scale = ScaleObject.new("1")
    with Application("memory://", events=Weighed | Announced) as app:
        for _ in range(2):
            scale.record(Weighed(2))
            scale.save(app.store)
        app.store.snapshots.flush()

        assert app.store.load(Scale, "1").snapshot == 2
        assert app.store.load(Scale, "1").state.read == ("2.0", "2.0")
