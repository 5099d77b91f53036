"""Carries out one partition of a reaction, in a thread of its own, so that nobody waits for its side effects."""

import asyncio

from eventfold.follower import Follower
from eventfold.parts import Parts
from eventfold.reacting import Caller
from projections.lane import Lane
from projections.leases import Leases
from projections.reaction import Reaction
from projections.reactor import Reactor
from projections.track import Track


def reaction_follower(
    parts: Parts, reaction: Reaction, track: Track, lane: Lane, leases: Leases, loop: asyncio.AbstractEventLoop | None
) -> Follower:
    """One partition's part of a worker.

    Args:
        parts: of the application.
        reaction: what is done.
        track: where it stands.
        lane: the partition.
        leases: the worker's, which keeps them.
        loop: where coroutines run; by default in one of the thread's own.
    """
    caller = Caller(parts, loop)

    def goes_on() -> bool:
        return not follower.stopping

    reactor = Reactor(parts.store, reaction, track, lane.partition, leases.name, caller, goes_on, caller.many)

    def step() -> bool:
        return not reactor.retry_in and reactor.step() > 0

    follower: Follower = Follower(
        parts.store, f"reaction {reaction.name}", step, lambda: reactor.retry_in, caller.close
    )
    return follower
