"""What all cases of the contract stand on: the fixtures, and the capabilities that a backend declares."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, TypeAlias

import pytest

from eventstore.recorded import Recorded
from eventstore.store import EventStore
from eventstore.testing.cases import Cases
from eventstore.testing.contract.vocabulary import EVENTS

StoreFactory: TypeAlias = Callable[..., EventStore]

PATIENCE_SECONDS = 60.0
"""How long a case waits for what must come; only a broken backend lets it pass."""


class StoreCases(Cases):
    """The base of every group of cases."""

    shares_log: ClassVar[bool] = True
    joins_transactions: ClassVar[bool] = True
    keeps_snapshots: ClassVar[bool] = True
    accompanies: ClassVar[bool] = True

    @pytest.fixture
    def store_factory(self) -> StoreFactory:
        """The one fixture that a subclass defines."""
        raise NotImplementedError(f"{type(self).__name__}: define the fixture store_factory; see EventStoreContract")

    @pytest.fixture
    def open_store(self, store_factory: StoreFactory) -> Iterator[StoreFactory]:
        """Opens stores that are closed after the test."""
        with ExitStack() as stack:

            def open_one(**options: Any) -> EventStore:
                return stack.enter_context(store_factory(**{"events": EVENTS, **options}))

            yield open_one

    @pytest.fixture
    def store(self, open_store: StoreFactory) -> EventStore:
        """A store on an empty log."""
        return open_store()


def positions(found: Iterable[Recorded[Any]]) -> list[int]:
    """The positions of recorded events."""
    return [recorded.position for recorded in found]


def events(found: Iterable[Recorded[Any]]) -> list[Any]:
    """The events without their envelopes."""
    return [recorded.event for recorded in found]
