"""Rows that are ahead of their position, because the process ended between the two, and other targets of the same projection."""

from typing import Any

import pytest

from eventfold import CustomTarget, EventStore, SqlTable
from projections import BoundProjection, Engine
from projections.model import Model
from projections.targets.custom import BoundCustomTarget
from projections.targets.register import SqlRegister
from tests.projections.notebook import Notebook
from tests.projections.searched_shop import assert_tracks_straight
from tests.projections.shop import Added, Moved, fill, stock


class Crash(BaseException):
    """Ends a process between two writes."""


def crash(engine: Engine, patch: pytest.MonkeyPatch) -> None:
    """Steps up to the moment when the rows of the first target are written, and nothing else is."""

    def crashing(*_arguments: Any) -> bool:
        raise Crash

    with patch.context() as patched:
        patched.setattr(SqlRegister, "advance", crashing)
        with pytest.raises(Crash):
            engine.step([each for each in engine.tracks if not each.remote])


@pytest.mark.parametrize("first", [True, False])
def test_what_one_target_has_ahead_of_its_position_is_folded_for_the_others(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    notebook = Notebook()
    targets: list[Any] = [notebook.target("pages"), notebook.target("more"), SqlTable("stock")]
    bound: list[BoundProjection[Any]] = [stock.into(*(targets if first else reversed(targets)))]
    fill(store, 20)
    Engine(store, bound).catch_up()
    fill(store, 20, seed=1)
    crash(Engine(store, bound), monkeypatch)
    store.append("item-i1", [Added(3), Moved("i2", 1)])

    engine = Engine(store, bound)
    engine.catch_up()

    assert_tracks_straight(store, engine)


class Served(CustomTarget):
    """A target on a server of its own, as far as the engine can tell."""

    def bind(self, backend: Any, projection: str, model: Model) -> BoundCustomTarget:
        bound = super().bind(backend, projection, model)
        setattr(bound, "remote", True)  # noqa: B010 - a class, to a type checker, says it itself
        return bound


def test_what_was_folded_without_it_is_not_offered_to_a_target_on_another_server(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = [stock.into(Notebook().target("pages"), Served("served", Notebook().open))]
    fill(store, 20)
    Engine(store, bound).catch_up()
    fill(store, 20, seed=1)
    crash(Engine(store, bound), monkeypatch)

    engine = Engine(store, bound)
    pages, served = engine.tracks
    served.refresh()
    while engine.step([pages]):
        pass
    engine.catch_up()

    assert_tracks_straight(store, engine)
