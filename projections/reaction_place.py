"""Where a reaction stands: in the tables of the projections' checkpoints, without any rows."""

from collections.abc import Callable, Sequence
from typing import Any

from projections.parked import Mended, Parked, ParkedKey
from projections.target import Change, Fetched, GenerationInfo
from projections.targets.register import Register, register_of


class ReactionGeneration:
    """The one generation that a reaction ever has."""

    def __init__(self, register: Register, number: int) -> None:
        self.number = number
        self._register = register

    @property
    def info(self) -> GenerationInfo:
        """As stored at this moment."""
        return self._register.one(self.number)

    def fetch(self, _keys: Sequence[Any]) -> Fetched:
        """There are no rows."""
        return Fetched({})

    def apply(self, change: Change) -> bool:
        """Moves the position, and parks what is to wait, in one transaction."""
        return self._register.advance(self.number, change)

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._register.parked(self.number)

    def parked_events(self, key: str | None = None, *, position: int | None = None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        return self._register.parked_events(self.number, key, position)

    def mend(self, mended: Mended) -> bool:
        """Takes events from those that wait."""
        return self._register.mend(self.number, mended)

    def lease(self, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases by the database's clock."""
        self._register.lease(self.number, partitions, owner, seconds)

    def release(self, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        self._register.release(self.number, partitions, owner)


class ReactionPlace:
    """A target as far as a reaction needs one.

    Args:
        backend: the log.
        name: the reaction's.
        start: tells the position to begin after, when the reaction is first seen.
    """

    remote = True

    def __init__(self, backend: Any, name: str, start: Callable[[], int]) -> None:
        self._register = register_of(backend, name, "reaction")
        self._start = start

    def generations(self) -> list[GenerationInfo]:
        """The one generation, or none yet."""
        return self._register.all()

    def generation(self, number: int) -> ReactionGeneration:
        """The generation of this number."""
        return ReactionGeneration(self._register, number)

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1) -> ReactionGeneration:
        """Registers the reaction where it is to begin; where another process has just done so, it stays as that has it."""
        number = self._register.create(fingerprint, live=live, partitions=partitions, position=self._start())
        return self.generation(number)

    def pause(self, *, paused: bool) -> None:
        """Lets nobody carry it out until further notice, or lets them again."""
        self._register.pause(paused=paused)
