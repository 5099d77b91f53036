"""The fingerprint: a change of the state or of the fold makes the snapshots from before unusable, and nothing else does."""

import subprocess
import sys
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
import pytest

from eventstore import Aggregate, DefinitionError, Event, JsonObject, open_store, upcasts
from eventstore.loading import load_stream
from eventstore.snapshot import kind_of
from eventstore.snapshot_fingerprint import fingerprint
from eventstore.snapshot_policy import SnapshotPolicy

KEPT = SnapshotPolicy()


class Moved(Event):
    by: int


def declare(
    fields: list[tuple[str, Any, Any]], worth: int = 1, name: str = "Robot", **keywords: Any
) -> type[Aggregate[Moved]]:
    """An aggregate as some release declares it: it adds what it is moved by to its first number."""

    def evolve(self: Any, event: Moved) -> Any:
        return msgspec.structs.replace(self, place=type(self.place)(self.place + worth * event.by))

    annotations = {field: kind for field, kind, _ in fields}
    defaults = {field: default for field, _, default in fields}
    namespace = {"__annotations__": annotations, **defaults, "evolve": evolve, "__module__": __name__}
    made: Any = type(Aggregate)(name, (Aggregate,), namespace, **{"category": "robot", "snapshots": KEPT, **keywords})
    made.__orig_bases__ = (Aggregate[Moved],)
    return made  # type: ignore[no-any-return]  # made by hand


class Corner(msgspec.Struct, frozen=True):
    x: int = 0
    y: int = 0


class CornerOfNextRelease(msgspec.Struct, frozen=True):
    x: int = 0
    y: float = 0


class Mood(Enum):
    GOOD = "good"


class MoodOfNextRelease(Enum):
    GOOD = "good"
    BAD = "bad"


PLACE, NAME = ("place", int, 0), ("name", str, "")
RELEASE = [PLACE, NAME, ("corner", Corner, Corner()), ("tags", list[str], []), ("mood", Mood, Mood.GOOD)]


def with_field(at: int, field: tuple[str, Any, Any]) -> list[tuple[str, Any, Any]]:
    return [*RELEASE[:at], field, *RELEASE[at + 1 :]]


CHANGES: dict[str, tuple[list[tuple[str, Any, Any]], dict[str, Any]]] = {
    "a field more": ([*RELEASE, ("battery", int, 100)], {}),
    "a field less": (RELEASE[:-1], {}),
    "a field renamed": (with_field(1, ("title", str, "")), {}),
    "another type": (with_field(0, ("place", float, 0.0)), {}),
    "a type that JSON Schema does not tell apart": (with_field(3, ("tags", frozenset[str], frozenset())), {}),
    "a type that stores as the same text": (with_field(1, ("name", Decimal, Decimal(0))), {}),
    "another order": ([NAME, PLACE, *RELEASE[2:]], {}),
    "another default": (with_field(0, ("place", int, 7)), {}),
    "a nested type": (with_field(2, ("corner", CornerOfNextRelease, CornerOfNextRelease())), {}),
    "a choice more": (with_field(4, ("mood", MoodOfNextRelease, MoodOfNextRelease.GOOD)), {}),
    "another fold, declared": (RELEASE, {"worth": -1, "version": 2}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def test_given_a_snapshot_when_the_code_changes_then_replay_takes_over(
    change: str, kind: str, request: pytest.FixtureRequest
) -> None:
    url = "memory://" if kind == "memory" else request.getfixturevalue(f"{kind}_url")
    before = declare(RELEASE)
    fields, options = CHANGES[change]
    after = declare(fields, **options)
    with open_store(url, events=Moved, migrate=True) as store:
        store.append("robot-1", [Moved(2), Moved(3)])
        store.snapshots.take(before, "robot-1")
        store.append("robot-1", [Moved(4)])

        old, new = store.load(before, "1"), store.load(after, "1")

        assert (old.snapshot, new.snapshot) == (2, 0)
        assert new.state == load_stream(store.backend, after, "robot-1").state
        assert old.state.place == 9  # type: ignore[attr-defined]  # declared above
        store.snapshots.take(after, "robot-1")
        assert (store.load(before, "1").snapshot, store.load(after, "1").snapshot) == (2, 3)


def test_the_same_code_has_the_same_fingerprint_in_every_process() -> None:
    script = "from tests.eventstore.test_snapshot_fingerprint import *; print(fingerprint(declare(RELEASE)))"
    root = Path(__file__).parents[2]
    found = {
        subprocess.check_output([sys.executable, "-c", script], cwd=root, env={"PYTHONHASHSEED": str(seed)}, text=True)
        for seed in range(2)
    }
    assert found == {fingerprint(declare(RELEASE)) + "\n"}


def test_a_state_that_holds_itself_has_a_fingerprint() -> None:
    assert len(fingerprint(Branch)) == 32


def test_a_state_that_begins_with_what_json_cannot_hold_can_have_no_snapshots() -> None:
    declared = declare([PLACE, ("lens", Any, complex(1, 2))])

    with pytest.raises(
        DefinitionError, match="Robot: the initial state cannot be kept as JSON, so it can have no snap"
    ):
        fingerprint(declared)


def test_a_new_version_of_an_event_makes_snapshots_unusable_and_a_new_event_does_not() -> None:
    class Grown(Event):
        pass

    class MovedNext(Event, event_type="Moved", version=2):
        by: int

    assert kind_of(state_of(Moved)) == kind_of(state_of(Moved | Grown))
    assert kind_of(state_of(Moved)) != kind_of(state_of(MovedNext))


def test_an_upcaster_or_a_type_that_is_passed_over_makes_snapshots_unusable() -> None:
    @upcasts("Driven", 1, into={"Moved": 1})
    def driven(data: JsonObject) -> list[tuple[str, JsonObject]]:
        return [("Moved", data)]

    class Steered(Event, event_type="Moved", upcasters=[driven]):
        by: int

    kinds = {kind_of(state_of(Moved)), kind_of(state_of(Steered)), kind_of(state_of(Moved, retired=["Driven"]))}
    assert len(kinds) == 3


def test_a_nested_default_that_a_function_makes_is_part_of_the_state() -> None:
    def holding(factory: Any) -> Any:
        part = msgspec.defstruct("Part", [("marks", list[str], msgspec.field(default_factory=factory))])
        return declare([PLACE, ("parts", list[part], [])])  # type: ignore[valid-type]  # made by a function

    assert fingerprint(holding(lambda: ["a"])) == fingerprint(holding(lambda: ["a"]))
    assert fingerprint(holding(lambda: ["a"])) != fingerprint(holding(lambda: ["b"]))
    assert fingerprint(holding(lambda: [str(uuid4())])) == fingerprint(holding(lambda: [str(uuid4())]))


def state_of(events: Any, **keywords: Any) -> Any:
    made: Any = type(Aggregate)("Robot", (Aggregate,), {"__module__": __name__}, **keywords)
    made.__orig_bases__ = (Aggregate[events],)
    return made


@pytest.mark.parametrize(
    "bad", [{"every": 0}, {"every": True}, {"keep": 0}, {"keep": 1.5}, {"slower_than": -1}, {"slower_than": "1"}]
)
def test_a_policy_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=f"SnapshotPolicy: {next(iter(bad))}: expected"):
        SnapshotPolicy(**bad)


@pytest.mark.parametrize(
    ("bad", "message"), [({"snapshots": 100}, "expected a SnapshotPolicy"), ({"version": 0}, "version must be")]
)
def test_what_an_aggregate_declares_wrongly_is_refused(bad: dict[str, Any], message: str) -> None:
    declared = declare(RELEASE, **bad)
    with open_store("memory://", events=Moved) as store, pytest.raises(DefinitionError, match=message):
        store.load(declared, "1")


class Branch(Aggregate[Moved], snapshots=KEPT):
    twigs: "tuple[Branch, ...]" = ()
    depth: ClassVar[int] = 0
