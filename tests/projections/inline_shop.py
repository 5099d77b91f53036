"""The shop's two projections, kept inline, and what its rows must be."""

import random
from collections.abc import Iterable
from typing import Any

from eventfold import Application, EventStore, Recorded, SqlTable
from projections import BoundProjection, MemoryTable
from tests.projections.shop import EVENTS, Added, Closed, Moved, Noise, position_of, rows_of, stock, straight, totals


def inline(target: Any = SqlTable) -> list[BoundProjection[Any]]:
    return [each.into(target(each.name), consistency="inline") for each in (stock, totals)]


def open_inline(url: str, projections: Iterable[BoundProjection[Any]] | None = None) -> Application:
    chosen = inline(MemoryTable if url.startswith("memory") else SqlTable) if projections is None else projections
    return Application(url, projections=chosen, events=EVENTS, migrate=True)


def some_events(chance: random.Random) -> list[Any]:
    """Events of which some touch one row, some two, some none, and some delete one."""
    one = [Added(chance.randrange(20)), Moved(f"i{chance.randrange(6)}", 1), Closed(), Noise()]
    return [chance.choice(one) for _ in range(chance.randrange(1, 4))]


def append_some(store: EventStore, chance: random.Random) -> None:
    store.append(f"item-i{chance.randrange(6)}", some_events(chance))


def wanted(events: Iterable[Recorded[Any]], name: str) -> list[Recorded[Any]]:
    folded = next(each for each in (stock, totals) if each.name == name)
    return [each for each in events if isinstance(each.event, folded.events)]


def assert_all_is_folded(app: Application) -> None:
    """Nobody has caught up, and yet the rows are those of the whole log, each event folded once."""
    log = list(app.store.read_log())
    for each in (stock, totals):
        mine = wanted(log, each.name)
        assert rows_of(app.engine, each.name) == straight(each, log)
        assert position_of(app.engine, each.name) >= (mine[-1].position if mine else 0)
        info = next(one for one in app.engine.find(each.name)[0].target.generations() if one.state == "live")
        assert info.events == len(mine)
