"""States that read back equal and would be folded otherwise are not kept."""

from collections import Counter, OrderedDict, defaultdict
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from eventstore import Aggregate, Event, SnapshotPolicy, UnfitState, open_store
from eventstore.loading import load_stream
from eventstore.snapshot_proof import half_kept

BERLIN = ZoneInfo("Europe/Berlin")


class Due(Event):
    at: datetime
    days: int = 0


class Plan(Aggregate[Due], snapshots=SnapshotPolicy()):
    """Due at the same time of the day, whatever the summer time."""

    at: datetime | None = None

    def evolve(self, event: Due) -> "Plan":
        return Plan((self.at or event.at.astimezone(BERLIN)) + timedelta(days=event.days))


class Inner(msgspec.Struct):
    value: Any


class Outer(msgspec.Struct):
    first: Any
    then: Any = None


WINTER = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (Outer(Counter("a")), "first: a Counter, which reads back as a plain dict"),
        (Outer(1, [Inner(defaultdict(int))]), "then[].value: a defaultdict, which reads back as a plain dict"),
        (Outer({"a": {"b": OrderedDict()}}), "first[][]: a OrderedDict, which reads back as a plain dict"),
        (Outer(WINTER.astimezone(BERLIN)), "first: a time in the zone Europe/Berlin, which reads back with its offset"),
        (Outer(time(12, tzinfo=BERLIN)), "first: a time in the zone Europe/Berlin, which reads back with its offset"),
    ],
)
def test_what_json_keeps_less_of_is_named(state: Any, problem: str) -> None:
    assert str(half_kept(state)).startswith(problem)


@pytest.mark.parametrize(
    "value",
    [
        1, 1.5, "a", None, {"a": [1, {"b": 2}]}, frozenset({1}), WINTER, WINTER.replace(tzinfo=None), time(12),
        WINTER.astimezone(timezone(timedelta(hours=1))), WINTER.astimezone(ZoneInfo("UTC")),
    ],
)  # fmt: skip
def test_everything_else_is_kept(value: Any) -> None:
    assert half_kept(Outer(value, [Inner(value)])) is None


def test_given_a_state_in_a_zone_then_no_snapshot_shifts_what_follows_by_an_hour() -> None:
    with open_store("memory://", events=Due) as store:
        store.append("plan-1", [Due(WINTER)])
        with pytest.raises(UnfitState, match="Plan: the state cannot be kept whole: at: a time in the zone Europe"):
            store.snapshots.take(Plan, "plan-1")
        store.append("plan-1", [Due(WINTER, 60)])

        assert store.load(Plan, "1").state == load_stream(store.backend, Plan, "plan-1").state
