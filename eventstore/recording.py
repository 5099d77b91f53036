"""The object style: an object that decides and records, over the same aggregates and folds."""

from typing import Any, Generic, Self, TypeVar, get_args, get_origin

from eventstore.aggregate import Aggregate, category_of, initial, policy_of
from eventstore.errors import DefinitionError, UnfitState
from eventstore.event import Event
from eventstore.loading import Loaded, fold_appended
from eventstore.new_event import Appended, StreamAppend
from eventstore.store import EventStore
from eventstore.stream import stream_name

A = TypeVar("A", bound=Aggregate[Any])


class Recording(Generic[A]):
    """Wraps an aggregate's state in an object with methods.

        class AccountObject(Recording[Account]):
            def withdraw(self, amount: int) -> None:
                if amount > self.state.balance:
                    raise Rejected("not enough")
                self.record(Withdrawn(amount))

        account = AccountObject.open(store, "a-1")
        account.withdraw(20)
        account.save(store)

    `save` appends with the version that was opened, so a concurrent change raises `WrongExpectedVersion`.
    """

    def __init__(self, state: A, stream: str, version: int) -> None:
        self.state = state
        self.stream = stream
        self.version = version
        self._recorded: list[Event] = []
        self._loaded: Loaded[A] = Loaded(state, stream, version, 0)

    @classmethod
    def open(cls, store: EventStore, stream_id: str) -> Self:
        """The object as it stands now; a new one where the stream has no events."""
        aggregate = _aggregate_of(cls)
        loaded = store.load(aggregate, stream_id)
        opened = cls(loaded.state, loaded.stream, loaded.version)
        opened._loaded = loaded
        return opened

    @classmethod
    def new(cls, stream_id: str) -> Self:
        """An object without events; saving it raises `WrongExpectedVersion` where the stream exists."""
        aggregate = _aggregate_of(cls)
        return cls(initial(aggregate), stream_name(category_of(aggregate), stream_id), 0)

    @property
    def recorded(self) -> tuple[Event, ...]:
        """The events recorded since the last save."""
        return tuple(self._recorded)

    def record(self, event: Event) -> None:
        """Applies an event to the state and keeps it for `save`."""
        self.state = self.state.evolve(event)
        self._recorded.append(event)

    def save(self, store: EventStore) -> Appended | None:
        """Appends what was recorded; None where nothing was.

        Raises:
            WrongExpectedVersion: the stream has changed since it was opened; what was recorded is kept.
        """
        if not self._recorded:
            return None
        append = StreamAppend(self.stream, tuple(self._recorded), self.version)
        appended = store.append_all([append])
        aggregate = _aggregate_of(type(self))
        newest = store.snapshots.after_append({self.stream: (aggregate, self._loaded)}, [append], appended)
        self.version = appended.versions[self.stream]
        state = self._as_stored(aggregate)
        self._loaded = Loaded(state, self.stream, self.version, appended.position, newest[self.stream])
        self._recorded.clear()
        return appended

    def _as_stored(self, aggregate: type[A]) -> A:
        """What the next snapshot begins with, where there are snapshots."""
        if policy_of(aggregate) is None:
            return self.state
        try:
            return fold_appended(aggregate, self._loaded.state, self._recorded)
        except UnfitState:
            return self.state


def _aggregate_of(cls: type[Recording[Any]]) -> Any:
    for parent in cls.__mro__:
        for base in getattr(parent, "__orig_bases__", ()):
            if get_origin(base) is Recording:
                return get_args(base)[0]
    raise DefinitionError(f"{cls.__qualname__}: name its aggregate, as in `class {cls.__name__}(Recording[Account])`")
