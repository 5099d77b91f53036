"""When an aggregate's state is kept as a snapshot, and how many are kept."""

from typing import Any

import msgspec

from eventstore.errors import DefinitionError


class SnapshotPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When the state of a stream is written as a snapshot: after an append by a command or a recording object.

        class Account(Aggregate[AccountEvent], snapshots=SnapshotPolicy(every=100)): ...

    Both conditions may be given; one that holds is enough. With neither, snapshots are written on demand only:
    `app.snapshot(...)` and `eventfold snapshots build`. An aggregate that declares no policy never has any.

    Attributes:
        every: when at least so many events have come since the last snapshot.
        slower_than: when the load before the append took longer than so many seconds.
        keep: how many of the newest are kept for each stream; more than one makes loads at old moments fast.

    Raises:
        DefinitionError: a number makes no sense.
    """

    every: int | None = None
    slower_than: float | None = None
    keep: int = 1

    def __post_init__(self) -> None:
        """Refuses numbers that make no sense."""
        for field, value in (("every", self.every), ("keep", self.keep)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise DefinitionError(f"SnapshotPolicy: {field}: expected a positive integer, got {value!r}")
        seconds: Any = self.slower_than
        if seconds is not None and (not isinstance(seconds, int | float) or not seconds >= 0):
            raise DefinitionError(f"SnapshotPolicy: slower_than: expected seconds, got {seconds!r}")

    def is_due(self, events: int, *, slow: bool) -> bool:
        """Whether a snapshot is wanted.

        Args:
            events: how many have come since the last one.
            slow: whether the load took longer than `slower_than`.
        """
        return slow or (self.every is not None and events >= self.every)
