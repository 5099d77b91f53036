"""One generation whose rows are apart from the log, as in Elasticsearch: where they are, and its place in the register."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from projections.errors import NeedsRebuild
from projections.parked import Mended, Parked, ParkedKey, key_text
from projections.target import Change, Fetched, GenerationInfo
from projections.targets.register import Register


class RowsMissing(Exception):
    """The rows are no longer where they were written."""


class RowsApart(Protocol):
    """The rows of one generation, somewhere, each with the position of the log that it stands for.

    Several threads may use them at once. Whatever has been written is read from then on, by every process.
    """

    def write(self, rows: Mapping[Any, Any], position: int, *, again: bool = False) -> None:
        """Stores rows by key as they are at a position, None for a deleted one; what is newer stays as it is.

        With `again`, a row that is there as of this very position is replaced, because it has to be mended. Returns when no crash
        can take them back.

        Raises:
            RowsRefused: some do not fit; the others are written.
            TargetUnavailable: whatever keeps them is away; some may be written.
            RowsMissing: what was written earlier is gone.
        """

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows under these keys, and up to where each contains everything, deleted ones too.

        Raises:
            TargetUnavailable: whatever keeps them is away.
            RowsMissing: what was written is gone.
        """

    def all(self) -> Iterable[Any]:
        """All rows, as `fetch` would give them."""

    def delete(self) -> None:
        """Removes them for good; does nothing where there are none."""


Open = Callable[[GenerationInfo], RowsApart]


class GenerationApart:
    """Rows and their place in the register. Rows are written first, the position after them.

    Args:
        register: of the generations.
        number: from 1.
        open_rows: gives the rows of a generation, and makes a place for them where there is none yet.
    """

    def __init__(self, register: Register, number: int, open_rows: Open) -> None:
        self.number = number
        self._register = register
        self._open_rows = open_rows
        self._opened: tuple[tuple[int, str], RowsApart] | None = None
        self._turn = threading.Lock()

    @property
    def info(self) -> GenerationInfo:
        """As stored at this moment."""
        return self._register.one(self.number)

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows that exist under these keys, and up to where each contains everything."""
        if not keys:
            return Fetched({})
        info = self.info
        try:
            return self._rows(info).fetch(keys)
        except RowsMissing as error:
            raise lost(self.info) from error

    def apply(self, change: Change) -> bool:
        """Writes the rows, and then the position, each only where it is not further on already.

        Raises:
            RowsRefused: rows do not fit; the others are written, and the position is as before.
            TargetUnavailable: whatever keeps the rows is away; some rows may be written, and the position is as before.
        """
        with self._turn:  # of two threads with the same change, the one that moves the position has written the rows
            if (
                change.rows or change.to_position > change.from_position
            ):  # moved without rows, there must be a place for them too
                info = self._at(change)
                if info is None:
                    return False
                try:
                    self._write(info, change)
                except RowsMissing as error:
                    if self._at(change) is None:
                        return False
                    raise lost(info) from error
            return self._register.advance(self.number, change)

    def parked(self) -> list[ParkedKey]:
        """The keys for which events wait aside."""
        return self._register.parked(self.number)

    def parked_events(self, key: str | None = None, *, position: int | None = None) -> list[Parked]:
        """The events that wait aside, oldest first."""
        return self._register.parked_events(self.number, key, position)

    def mend(self, mended: Mended) -> bool:
        """Writes the row of a key, as it is at the last event that waits no longer, and then takes these from those that wait.

        Ended in between, the row says itself up to where it contains everything, and a repetition leaves those events out. A row
        that is to be mended takes the place of one of the same version.

        Raises:
            RowsRefused: the row does not fit.
            TargetUnavailable: whatever keeps the rows is away.
        """
        with self._turn:
            info = self.info
            waiting = {each.position for each in self.parked_events(mended.key)}
            at = info.checkpoints[mended.partition]
            if (
                at.epoch != mended.epoch
                or not waiting.issuperset(mended.gone)
                or mended.position not in {None, at.position}
            ):
                return False
            try:
                if mended.as_of is not None:
                    self._rows(info).write(mended.rows, mended.as_of, again=True)
                elif mended.rows:
                    self._rows(info).write(mended.rows, mended.gone[-1])
            except RowsMissing as error:
                raise lost(info) from error
            return self._register.mend(self.number, mended)

    def lease(self, partitions: Sequence[int], owner: str, seconds: float) -> None:
        """Gives or renews leases, by the clock of the log's database."""
        self._register.lease(self.number, partitions, owner, seconds)

    def release(self, partitions: Sequence[int], owner: str) -> None:
        """Ends the owner's leases."""
        self._register.release(self.number, partitions, owner)

    def _write(self, info: GenerationInfo, change: Change) -> None:
        """Writes each row as it is at the change's end, or before the first event that waits for its key."""
        ends: dict[str, int] = {}
        for each in change.parked:
            ends.setdefault(each.key, each.position - 1)
        early = {key: ends[text] for key in change.rows if ends and (text := key_text(key)) in ends}
        self._rows(info).write({key: row for key, row in change.rows.items() if key not in early}, change.to_position)
        for key, position in early.items():
            self._rows(info).write({key: change.rows[key]}, position)

    def _at(self, change: Change) -> GenerationInfo | None:
        """The generation, if the change's partition stands where that begins and its epoch is still the same."""
        info = next((each for each in self._register.all() if each.number == self.number), None)
        if info is None:
            return None
        standing = [(each.partition, each.position, each.epoch) for each in info.checkpoints]
        return info if (change.partition, change.from_position, change.epoch) in standing else None

    def _rows(self, info: GenerationInfo) -> RowsApart:
        """The rows, opened once; again when they become the live ones, or if another generation has this number meanwhile."""
        wanted = info.made_us, info.state
        if self._opened is None or self._opened[0] != wanted:
            self._opened = wanted, self._open_rows(info)
        return self._opened[1]


def lost(info: GenerationInfo) -> NeedsRebuild:
    """The error for rows that somebody else has removed."""
    return NeedsRebuild(
        f"projection {info.projection!r}: the rows of generation {info.number} of {info.target!r} are missing where they were "
        f"kept; run `eventfold projections rebuild {info.projection}`"
    )
