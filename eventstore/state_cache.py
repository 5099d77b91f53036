"""States in memory: the ones used last, each with the event that it ends with."""

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from eventstore.aggregate import Aggregate
from eventstore.loading import Folded


class Cached(NamedTuple):
    """A state with where it stands, and the version of the newest snapshot of its stream that is known."""

    folded: Folded
    snapshot: int


class StateCache:
    """Holds the states of up to `size` streams. Safe to share among threads.

    Whoever takes one out reads the log from its last event on, and so notices whatever has happened since.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._states: OrderedDict[tuple[type[Aggregate[Any]], str], Cached] = OrderedDict()

    def get(self, aggregate: type[Aggregate[Any]], stream: str) -> Cached | None:
        """The state, if it is held."""
        with self._lock:
            found = self._states.get((aggregate, stream))
            if found is not None:
                self._states.move_to_end((aggregate, stream))
            return found

    def put(self, aggregate: type[Aggregate[Any]], stream: str, cached: Cached) -> None:
        """Holds a state, and lets go of the one that was used least recently."""
        if self.size == 0 or cached.folded.version == 0:
            return
        with self._lock:
            held = self._states.get((aggregate, stream))
            if held is not None and held.snapshot > cached.snapshot:  # noted while this one was being loaded
                cached = cached._replace(snapshot=held.snapshot)
            self._states[aggregate, stream] = cached
            self._states.move_to_end((aggregate, stream))
            if len(self._states) > self.size:
                self._states.popitem(last=False)

    def note_snapshot(self, aggregate: type[Aggregate[Any]], stream: str, version: int) -> None:
        """Remembers that a snapshot is written, so that the next one is due only after further events."""
        with self._lock:
            held = self._states.get((aggregate, stream))
            if held is not None and held.snapshot < version:
                self._states[aggregate, stream] = held._replace(snapshot=version)

    def drop(self, aggregate: type[Aggregate[Any]], stream: str) -> None:
        """Lets go of a state that the log does not know."""
        with self._lock:
            self._states.pop((aggregate, stream), None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._states)
