"""What all cases of the contract stand on: the fixtures, and what is asked of a target again and again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeAlias

import pytest

from eventstore import EventStore, open_store
from eventstore.testing.cases import Cases
from projections.model import model_of
from projections.target import BoundTarget, Change, Generation, Reader, Target
from projections.testing.contract.vocabulary import EVENTS, Thing

BindTarget: TypeAlias = Callable[..., BoundTarget]

FINGERPRINT = "of the fold"


class TargetCases(Cases):
    """The base of every group of cases."""

    shares_rows: ClassVar[bool] = True

    @pytest.fixture
    def target(self) -> Target:
        """The one fixture that a subclass defines."""
        raise NotImplementedError(f"{type(self).__name__}: define the fixture target; see TargetContract")

    @pytest.fixture
    def store(self) -> Iterator[EventStore]:
        """An empty log."""
        with open_store("memory://", events=EVENTS) as store:
            yield store

    @pytest.fixture
    def bind(self, target: Target, store: EventStore) -> BindTarget:
        """Binds the target for a model, as a process does when it starts."""
        return lambda model=Thing: target.bind(store.backend, "things", model_of(model))

    @pytest.fixture
    def bound(self, bind: BindTarget) -> BoundTarget:
        """The target, for rows that are a `Thing`."""
        return bind()


def write(generation: Generation, *rows: Any) -> None:
    """Adds rows to a generation, with the next position."""
    assert apply(generation, {row.key: row for row in rows})


def apply(generation: Generation, rows: Mapping[Any, Any], *, error: str | None = None) -> bool:
    """Applies rows as one event's, from where the generation stands."""
    at = generation.info.position
    return generation.apply(Change(rows, at, at + 1, 1, error))


@contextmanager
def reading(bound: BoundTarget) -> Iterator[Reader]:
    """A reader that sees everything written so far: it was asked for its position."""
    with bound.reading() as reader:
        assert reader.position >= 0
        yield reader


def rows_of(bound: BoundTarget, generation: Generation) -> list[Any]:
    """All rows of a generation by their key."""
    with bound.rows(generation.number) as rows:
        return sorted(rows, key=lambda row: str(row.key))


def states_of(bound: BoundTarget) -> list[tuple[int, str]]:
    """The generations that there are, each with its state."""
    return [(each.number, each.state) for each in bound.generations()]
