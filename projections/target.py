"""Where a projection's rows are kept."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from projections.model import Model
from projections.selection import Selection


class GenerationInfo(msgspec.Struct, frozen=True):
    """One generation of a projection's rows in one target.

    Attributes:
        projection: the projection's name.
        target: the target's name.
        number: from 1.
        state: "building", "live" or "retired".
        fingerprint: of the projection that made the rows.
        position: everything up to here is in the rows.
        events: how many events were folded into them.
        error: why the projection stands still, if it does.
        updated_us: when it last moved, microseconds since 1970 UTC.
    """

    projection: str
    target: str
    number: int
    state: str
    fingerprint: str
    position: int
    events: int
    error: str | None
    updated_us: int


class Change(msgspec.Struct, frozen=True):
    """What one batch does to a generation.

    Attributes:
        rows: by key; None deletes.
        from_position: where the generation must stand.
        to_position: where it stands afterwards.
        events: how many events were folded.
        error: why it stops there, if it does.
    """

    rows: Mapping[Any, Any]
    from_position: int
    to_position: int
    events: int
    error: str | None = None


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

    def fetch(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""

    def apply(self, change: Change) -> bool:
        """Writes rows and position in one transaction.

        Returns:
            False, and nothing is written, where the generation does not stand at `from_position` any more, is retired or
            dropped: another worker was faster.
        """


class Reader(Protocol):
    """Reads the live rows. What it reads later is never older than the position that it has told."""

    @property
    def position(self) -> int:
        """Everything up to here is in the rows; 0 where there are none yet."""

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants."""

    def count(self, selection: Selection) -> int:
        """How many they are."""


class BoundTarget(Protocol):
    """A target that knows its database, its projection's name and its model."""

    def generations(self) -> list[GenerationInfo]:
        """All generations as of one moment, oldest first."""

    def generation(self, number: int) -> Generation:
        """The generation of this number, which is not looked for yet."""

    def create(self, fingerprint: str, *, live: bool) -> Generation:
        """A new, empty generation at position 0; the one that queries see from now on, if `live`.

        Where another process has just made it, that one.
        """

    def swap(self, generation: Generation) -> bool:
        """Makes a generation the live one, atomically; the former one is retired and stays readable for whoever reads.

        Returns:
            False, and nothing is changed, where the generation stands behind the live one.

        Raises:
            GenerationDropped: it is gone.
        """

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""

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


class Target(Protocol):
    """A declaration, as the user writes it: `SqlTable("balances")`."""

    @property
    def name(self) -> str:
        """Unique among the targets of a projection."""

    @property
    def needs_sql(self) -> bool:
        """Whether the log must be in a SQL database."""

    def bind(self, backend: Any, projection: str, model: Model) -> BoundTarget:
        """The target over the log's database."""
