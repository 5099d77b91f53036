"""Parked events of a read model in Elasticsearch, whose rows are written before the position that they belong to."""

from collections.abc import Iterator
from typing import Any

import pytest

from eventfold import ElasticsearchIndex, EventParked, EventStore, Poison, open_store
from eventfold.migrations import migrate
from projections import Engine
from projections.mending import parked_of, retry_parked
from projections.targets.register import SqlRegister
from tests.projections.fragile import AT_ONCE, Mood, Pile, fragile
from tests.projections.shop import EVENTS, Added, rows_of


class Crash(BaseException):
    """Ends a process between two writes."""


@pytest.fixture
def store(sqlite_url: str) -> Iterator[EventStore]:
    with open_store(sqlite_url, events=EVENTS) as opened:
        migrate(opened)
        yield opened


def open_piles(store: EventStore, index: ElasticsearchIndex, mood: Mood, poison: Poison = AT_ONCE) -> Engine:
    return Engine(store, [fragile(mood).into(index, poison=poison)])


def crash(engine: Engine, patch: pytest.MonkeyPatch, name: str) -> None:
    """Steps up to the moment when the rows are written and the position is not."""

    def crashing(*_arguments: Any) -> bool:
        raise Crash

    with patch.context() as patched:
        patched.setattr(SqlRegister, name, crashing)
        with pytest.raises(Crash):
            engine.step() if name == "advance" else retry_parked(engine.store, engine.tracks)


@pytest.mark.parametrize("crashed", [False, True])
def test_a_key_is_parked_and_retried_also_where_the_process_ends_between_rows_and_position(
    store: EventStore, elasticsearch_index: ElasticsearchIndex, monkeypatch: pytest.MonkeyPatch, *, crashed: bool
) -> None:
    mood = Mood()
    store.append("item-a", [Added(1), Added(13), Added(2)])
    store.append("item-b", [Added(3), Added(4)])
    engine = open_piles(store, elasticsearch_index, mood)
    if crashed:
        crash(engine, monkeypatch, "advance")
        engine = open_piles(store, elasticsearch_index, mood)
    with pytest.raises(EventParked):
        engine.catch_up()
    parked, meanwhile = parked_of(engine.tracks[0]), rows_of(engine, "piles")
    mood.broken = False

    if crashed:
        crash(engine, monkeypatch, "mend")
    retry_parked(store, engine.tracks)
    store.append("item-a", [Added(5)])
    engine.catch_up()

    assert [(each.key, each.position, each.events) for each in parked] == [("a", 2, 2)]
    assert meanwhile == {"a": Pile("a", 1, "1,"), "b": Pile("b", 7, "1,2,")}
    assert parked_of(engine.tracks[0]) == []
    assert rows_of(engine, "piles") == {"a": Pile("a", 21, "1,2,3,4,"), "b": Pile("b", 7, "1,2,")}
    assert engine.tracks[0].generation.info.events == 6
