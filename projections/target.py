"""Where a projection's rows are kept."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from projections.measure import Measure
from projections.model import Model
from projections.parked import Mended, Parked, ParkedKey
from projections.selection import Selection

RATE_SECONDS = 5.0
"""Over about how long the rate of a partition is taken."""


class Checkpoint(msgspec.Struct, frozen=True):
    """Where one partition of a generation stands, and who moves it.

    Attributes:
        partition: from 0.
        position: everything up to here is in the partition's rows.
        events: how many events were folded into them.
        error: why the partition stands still, if it does.
        updated_us: when it last moved, microseconds since 1970 UTC.
        owner: the worker that holds the lease, if one does.
        epoch: raised whenever somebody else takes over; a write of an earlier epoch is refused.
        until_us: when the lease ends unless it is renewed, microseconds since 1970 UTC.
        parked: how many events wait aside, each counted for each key that it waits for.
        discarded: how many were given up; the rows are those of the log without them.
        rate: events folded per second, in the last seconds before it last moved.
    """

    partition: int
    position: int
    events: int
    error: str | None
    updated_us: int
    owner: str | None = None
    epoch: int = 0
    until_us: int = 0
    parked: int = 0
    discarded: int = 0
    rate: float = 0.0


class GenerationInfo(msgspec.Struct, frozen=True):
    """One generation of a projection's rows in one target.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        number: from 1.
        state: "building", "live" or "retired".
        fingerprint: of the projection that made the rows.
        checkpoints: of its partitions, in their order.
        made_us: when it was made, microseconds since 1970 UTC: two generations of one number were made at different times. 0 for
            those that are older than the column.
        paused: whether nobody may move the projection's rows in this target.
    """

    projection: str
    target: str
    number: int
    state: str
    fingerprint: str
    checkpoints: tuple[Checkpoint, ...]
    made_us: int = 0
    paused: bool = False

    @property
    def position(self) -> int:
        """Everything up to here is in the rows, whatever their partition."""
        return min(each.position for each in self.checkpoints)

    @property
    def furthest(self) -> int:
        """Nothing after here is in any row."""
        return max(each.position for each in self.checkpoints)

    @property
    def events(self) -> int:
        """How many events were folded into the rows."""
        return sum(each.events for each in self.checkpoints)

    @property
    def error(self) -> str | None:
        """Why the projection stands still, if it does."""
        return next((each.error for each in self.checkpoints if each.error is not None), None)

    @property
    def updated_us(self) -> int:
        """When it last moved, microseconds since 1970 UTC."""
        return max(each.updated_us for each in self.checkpoints)

    @property
    def parked(self) -> int:
        """How many events wait aside."""
        return sum(each.parked for each in self.checkpoints)

    @property
    def discarded(self) -> int:
        """How many were given up."""
        return sum(each.discarded for each in self.checkpoints)


class Change(msgspec.Struct, frozen=True):
    """What one batch does to a partition of a generation.

    Attributes:
        rows: by key; None deletes.
        from_position: where the partition must stand.
        to_position: where it stands afterwards.
        events: how many events were folded.
        error: why it stops there, if it does.
        partition: whose keys these are.
        epoch: the one that the checkpoint must have.
        parked: events that wait aside from now on.
        read: of a composite projection: changed rows of what it reads, by projection and key; None deletes.
    """

    rows: Mapping[Any, Any]
    from_position: int
    to_position: int
    events: int
    error: str | None = None
    partition: int = 0
    epoch: int = 0
    parked: Sequence[Parked] = ()
    read: Mapping[str, Mapping[Any, Any]] = {}


class Fetched(msgspec.Struct, frozen=True):
    """The rows under the keys that a fold asked for.

    Attributes:
        rows: those that exist, by key.
        ahead: positions by key. The row under that key, or its absence, contains everything up to there already, which may be
            more than the generation's own position says: the target writes rows first and the position after them. Empty for a
            target that writes both at once.
    """

    rows: Mapping[Any, Any]
    ahead: Mapping[Any, int] = {}


class Generation(Protocol):
    """One generation, to be read and moved forward."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def info(self) -> GenerationInfo:
        """As stored at this moment.

        Raises:
            GenerationDropped: it is gone.
        """

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys, and which of them are ahead of the generation's position."""

    def apply(self, change: Change) -> bool:
        """Writes rows and position, in one transaction or the rows first; then a row that is ahead is never taken back.

        Returns:
            False, and nothing is written, where the partition does not stand at `from_position` any more, another worker
            has raised its epoch, or the generation is retired or dropped.
        """

    def lease(self, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives a worker the leases of those partitions that nobody else holds, or renews its own, for so long from now.

        A lease that changes hands raises the epoch. `info` says afterwards who holds which.
        """

    def release(self, partitions: Sequence[int], owner: str) -> None:
        """Ends a worker's leases of these partitions; others' stay."""

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside, in the order of their first ones."""

    def parked_events(self, key: str | None = None, *, position: int | None = None) -> list[Parked]:
        """The events that wait aside, oldest first; only those of a key, or at a position."""

    def mend(self, mended: Mended) -> bool:
        """Writes the row of a key and takes its events from those that wait, in one transaction.

        Returns:
            False, and nothing is written, where the partition has another epoch, or not all of these events wait any more.
        """


class Joined(Protocol):
    """A generation within the transaction of an append."""

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys."""

    def apply(self, change: Change) -> bool:
        """Writes rows and position; False, and nothing is written, where the partition does not stand there any more."""

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside, in the order of their first ones."""


class Reader(Protocol):
    """Reads the live rows. What it reads later is never older than the position that it has told.

    Where it is not asked for the position, a target that shows its rows only after a while need not wait for that.
    """

    @property
    def position(self) -> int:
        """Everything up to here is in the rows, whatever their partition; 0 where there are none yet."""

    @property
    def parked(self) -> int:
        """How many events up to that position are not in the rows, because they wait aside."""

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants."""

    def count(self, selection: Selection) -> int:
        """How many they are."""

    def aggregate(
        self, selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
    ) -> list[dict[str, Any]]:
        """The measures of each group of rows with equal values in `groups`, in the order of these, as names and values.

        Without groups, one answer over all rows that the query wants.
        """


class RowsSwapped(Exception):
    """Other rows are the live ones than those that were read before, and may not contain all that was seen in these yet."""


class BoundTarget(Protocol):
    """A target that knows its database, its projection's name and its model.

    One whose rows are on a server of their own, which may be slow or away while the log is not, has an attribute `remote` that is
    true. It is written apart from the others, rows first and the position after them. So a reader may have seen rows that were
    ahead of their position when others take their place. Such a target offers `reading_on()` too: a reader that raises
    `RowsSwapped` then, until one that stands far enough is told to `accept()` the new rows.

    One that keeps what a composite projection reads says so by `keeps_read` in its declaration, and its generations have the method
    `fetch_read(source, keys)`. What `Change.read` holds is written with the rows.

    One whose rows can be written in an append's own transaction says so by `joins_appends` in its declaration. In `database` it has
    the `SqlDatabase` where they are, if there is one, and it has these methods for a transaction that is open on a connection,
    which is None for rows in memory: `live_on(connection, fingerprint)`, the live generation, made where there is none, and held
    until the end; `held(connection)`, all of them; `swap_on(connection, generation)`; and `on(connection)` of a generation,
    a `Joined`.
    """

    def generations(self) -> list[GenerationInfo]:
        """All generations as of one moment, oldest first."""

    def generation(self, number: int) -> Generation:
        """The generation of this number, which is not looked for yet."""

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1) -> Generation:
        """A new, empty generation whose partitions stand at position 0; the one that queries see from now on, if `live`.

        Where another process has just made it, that one.
        """

    def swap(self, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """Makes a generation the live one, atomically; the former one is retired and stays readable for whoever reads.

        From then on it has so many partitions, each of which keeps the lease of the former live one's. The epochs of both are
        raised, so that whoever still writes as if nothing had happened is refused.

        Args:
            generation: the one to show.
            partitions: into how many it is divided from then on.
            behind: also where it stands behind the live one.

        Returns:
            False, and nothing is changed, where a partition stands behind one of the live generation's, or the generation has
            another number of partitions, which do not all stand at one position.

        Raises:
            GenerationDropped: it is gone.
        """

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built, so that it can catch up and be swapped in; False if it is none."""

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows until further notice, or lets them again. It holds for all generations, and lasts.

        Pausing raises the epochs, so that a batch in hand is refused.
        """

    def reading(self) -> AbstractContextManager[Reader]:
        """A reader of the live rows, whichever they are when it reads."""

    def rows(self, number: int) -> AbstractContextManager[Iterable[Any]]:
        """All rows of a generation, for comparison."""


def live_of(generations: Iterable[GenerationInfo]) -> GenerationInfo | None:
    """The generation that queries see."""
    return next((each for each in generations if each.state == "live"), None)


def building_of(generations: Iterable[GenerationInfo], fingerprint: str) -> GenerationInfo | None:
    """The generation that is being built for a fingerprint."""
    found = (each for each in generations if each.state == "building")
    return next((each for each in found if each.fingerprint == fingerprint), None)


def swapped(
    chosen: GenerationInfo, live: GenerationInfo | None, partitions: int, *, behind: bool = False
) -> tuple[Checkpoint, ...] | None:
    """The checkpoints of a generation that takes the place of the live one; None where it must not yet.

    Args:
        chosen: the generation.
        live: the live one, if there is one.
        partitions: into how many it is divided from then on.
        behind: also where it stands behind the live one.
    """
    if not behind and live is not None and live.furthest > chosen.position:
        return None
    epoch = max(each.epoch for each in chosen.checkpoints) + 1
    if len(chosen.checkpoints) == partitions:
        found = chosen.checkpoints
    elif chosen.furthest > chosen.position:
        return None
    else:
        events, discarded = (chosen.events, chosen.discarded), (0, 0)
        counts = [events, *[discarded] * (partitions - 1)]
        first = Checkpoint(0, chosen.position, 0, chosen.error, chosen.updated_us)
        found = tuple(
            replace(first, partition=n, events=events, discarded=discarded)
            for n, (events, discarded) in enumerate(counts)
        )
    held = live.checkpoints if live is not None else found
    leases = [held[each.partition % len(held)] for each in found]
    return tuple(
        replace(each, epoch=epoch, owner=lease.owner, until_us=lease.until_us)
        for each, lease in zip(found, leases, strict=True)
    )


def fenced(info: GenerationInfo) -> tuple[Checkpoint, ...]:
    """The checkpoints of a generation that nobody may write to any more who has looked at it before."""
    return tuple(replace(each, epoch=each.epoch + 1, owner=None, until_us=0) for each in info.checkpoints)


def rate_after(rate: float, events: int, microseconds: int) -> float:
    """Events folded per second, in about the last `RATE_SECONDS`, when so many were folded in the time since it was told."""
    return (rate * RATE_SECONDS + events) / (RATE_SECONDS + max(0, microseconds) / 1e6)


class Target(Protocol):
    """A declaration, as the user writes it: `SqlTable("balances")`."""

    @property
    def name(self) -> str:
        """Unique among the targets of a projection; only a table and what is no table may share one."""

    @property
    def needs_sql(self) -> bool:
        """Whether the log must be in a SQL database."""

    @property
    def divisible(self) -> bool:
        """Whether rows of different keys are independent of each other, so that partitions can be written apart."""

    def bind(self, backend: Any, projection: str, model: Model) -> BoundTarget:
        """The target over the log's database."""
