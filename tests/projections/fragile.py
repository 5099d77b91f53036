"""A fold that fails on some events for as long as it is broken, and what the rows must be meanwhile."""

from collections.abc import Iterable
from typing import Any

from eventfold import EventStore, Recorded, Struct, projection, replace
from projections import BoundProjection, Engine, MemoryTable, SqlTable
from projections.mending import parked_of
from projections.parked import Poison
from tests.projections.shop import Added, Closed, Moved, ShopEvent, both, rows_of

BAD = 13
AT_ONCE = Poison(attempts=1, pause=0.0)


class Pile(Struct, frozen=True):
    item: str
    amount: int = 0
    trail: str = ""


class Mood:
    """Whether the fold is broken, and how often it has failed."""

    broken = True
    failures = 0


def fragile(mood: Mood, name: str = "piles") -> Any:
    """A projection whose rows tell the order in which events were folded, and which fails on the amount 13 while it is broken.

    A move fails for the item that it goes to, and not for the one that it comes from.
    """

    @projection(name, key=both)
    def piles(row: Pile | None, recorded: Recorded[ShopEvent], item: str) -> Pile | None:
        event = recorded.event
        bad = isinstance(event, (Added, Moved)) and event.amount == BAD
        if bad and mood.broken and (isinstance(event, Added) or item == event.other):
            mood.failures += 1
            raise ArithmeticError("thirteen")
        if isinstance(event, Closed):
            return None
        row = row or Pile(item)
        return replace(row, amount=row.amount + event.amount, trail=f"{row.trail}{recorded.version},")

    return piles


def bound(mood: Mood, store: EventStore, poison: Poison = AT_ONCE, partitions: int = 1) -> BoundProjection[Pile]:
    target = MemoryTable if store.backend.sql is None else SqlTable
    return fragile(mood).into(target("piles"), poison=poison, partitions=partitions)  # type: ignore[no-any-return]


def apart(mood: Mood, events: Iterable[Recorded[Any]]) -> tuple[dict[str, Pile], dict[str, int]]:
    """The rows of one straight fold in which each key stops at the first event that fails, and how many events it then lacks."""
    fold, rows, parked = fragile(mood), dict[str, Pile](), dict[str, int]()
    for recorded in events:
        if not isinstance(recorded.event, (Added, Moved, Closed)):
            continue
        for key in dict.fromkeys(both(recorded)):
            if key not in parked:
                try:
                    row = fold.function(rows.get(key), recorded, key)
                except ArithmeticError:
                    parked[key] = 0
                else:
                    rows.pop(key, None) if row is None else rows.update({key: row})
            if key in parked:
                parked[key] += 1
    return rows, parked


def assert_apart(mood: Mood, store: EventStore, engine: Engine) -> None:
    """The rows are those of a straight fold over what is not parked, and the rest is."""
    track = engine.find("piles")[0]
    rows, parked = apart(mood, store.read_log(up_to=track.generation.info.position))
    assert rows_of(engine, "piles") == rows
    assert {each.key: each.events for each in parked_of(track)} == parked
    assert track.generation.info.parked == sum(parked.values())
