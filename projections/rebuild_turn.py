"""Who rebuilds what another version of the code has made, where several workers find it outdated at once.

The lease of the generation that is built says so. Whoever is late goes on with other things, and takes the rebuild over where it
was left if the lease ends before it is done.
"""

import time
from collections.abc import Callable

from projections.rebuild import begin, outdated
from projections.target import Generation
from projections.track import Track

_PARTS = 5
"""The lease is renewed so many times before it would end."""


class RebuildTurn:
    """One worker's turn to rebuild one projection in one target.

    Args:
        track: the projection and its target.
        owner: the worker.
        seconds: how long the lease lasts unless it is renewed.
    """

    def __init__(self, track: Track, owner: str, seconds: float) -> None:
        self._track, self._owner, self._seconds = track, owner, seconds
        self._generation: Generation | None = None
        self._due = 0.0

    def take(self, partitions: int = 1) -> str | None:
        """Takes the turn, if it is to be had.

        Args:
            partitions: of a generation that is not begun yet.

        Returns:
            The worker that is at it already; this one where it has the turn now; None where nothing is outdated (any more).
        """
        if not outdated(self._track):
            return None
        self._generation = generation = begin(self._track, partitions)
        self._renew(generation)
        owners = [each.owner for each in generation.info.checkpoints]
        other = next((each for each in owners if each not in {None, self._owner}), None)
        if other is None and not outdated(self._track):  # somebody else has swapped in his own between the two looks
            self._track.target.drop(generation.number)
            return None
        return other or self._owner

    def renewing(self, on_progress: Callable[..., None] = lambda *_: None) -> Callable[..., None]:
        """What is to be called after every batch, so that the lease is renewed when it is time to."""

        def renew(*progress: object) -> None:
            if self._generation is not None and time.monotonic() >= self._due:
                self._renew(self._generation)
            on_progress(*progress)

        return renew

    def _renew(self, generation: Generation) -> None:
        generation.lease(range(len(generation.info.checkpoints)), self._owner, self._seconds)
        self._due = time.monotonic() + self._seconds / _PARTS
