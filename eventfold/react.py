"""Carries out in this thread what reactions have yet to do."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from eventfold.parts import Parts
from eventfold.reacting import Caller
from projections import Retried
from projections.leases import LEASE_SECONDS, worker_name
from projections.partition import Partition
from projections.reaction_retry import retry_reaction
from projections.reactor import Reactor
from projections.target import Generation

_RENEWED_SECONDS = LEASE_SECONDS / 5


def react(parts: Parts, names: Sequence[str] | None = None, going: Callable[[], bool] = lambda: True) -> int:
    """Carries out everything up to the log's end as it is now, but for what a worker has in hand, or what is paused.

    An event that fails is tried again at once, as often as its reaction says, and then parked.

    Args:
        parts: of the application.
        names: only of these reactions.
        going: whether to go on; asked before each batch.

    Returns:
        By how many positions the reactions have moved, in all.

    Raises:
        ReactionFailed: one stands still, or has parked an event; the others have caught up.
        EventfoldError: an event cannot be read; the others have caught up.
    """
    head, owner, caller = parts.store.head(), worker_name(), Caller(parts)
    moved, failures = 0, list[Exception]()
    try:
        for reaction, track in parts.reactions_in_log:
            if names is not None and reaction.name not in names:
                continue
            for lane in track.lanes:
                with _Lease(track.generation, lane.partition, owner) as lease:
                    reactor = Reactor(
                        parts.store, reaction, track, lane.partition, owner, caller, lease.renew, caller.many
                    )
                    moved += _catch_up(reactor, head, going)
                failures += [each for each in (reactor.failure, reactor.gave_up) if each is not None]
    finally:
        caller.close()
    if failures:
        raise failures[0]
    return moved


def _catch_up(reactor: Reactor, head: int, going: Callable[[], bool]) -> int:
    moved = 0
    while going():
        attempts = reactor.attempts
        step = reactor.step(head)
        moved += step
        if not step and not (reactor.tries_on and reactor.attempts > attempts):
            break
    return moved


def retry_reaction_of(parts: Parts, name: str, keys: Sequence[Any]) -> list[Retried]:
    """Carries out parked events of a reaction, in this thread. See `projections.reaction_retry`."""
    reaction, track = parts.reaction(name)
    caller = Caller(parts)
    try:
        return retry_reaction(parts.store, reaction, track, caller, keys)
    finally:
        caller.close()


class _Lease:
    """Keeps workers away while this thread is at work, if none has the lease."""

    def __init__(self, generation: Generation, partition: Partition, owner: str) -> None:
        self._generation, self._numbers, self._owner = generation, [partition.number], owner
        self._due = 0.0

    def renew(self) -> bool:
        """Renews it when it is time to."""
        if time.monotonic() >= self._due:
            self._generation.lease(self._numbers, self._owner, LEASE_SECONDS)
            self._due = time.monotonic() + _RENEWED_SECONDS
        return True

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._generation.release(self._numbers, self._owner)
