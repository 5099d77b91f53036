"""One generation of a read model in Elasticsearch: an index of rows, and its place in the register beside the log."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from projections.errors import NeedsRebuild
from projections.parked import Mended, Parked, ParkedKey, key_text
from projections.target import Change, Fetched, GenerationInfo
from projections.targets.elasticsearch_bulk import IndexMissing
from projections.targets.elasticsearch_rows import ElasticsearchRows
from projections.targets.register import Register

Open = Callable[[GenerationInfo], ElasticsearchRows]


class ElasticsearchGeneration:
    """An index of rows and its place in the register. Rows are written first, the position after them.

    Args:
        register: of the generations.
        number: from 1.
        open_rows: gives the index of a generation, and makes it where it is not there yet.
    """

    def __init__(self, register: Register, number: int, open_rows: Open) -> None:
        self.number = number
        self._register = register
        self._open_rows = open_rows
        self._opened: tuple[tuple[int, str], ElasticsearchRows] | None = None
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
        except IndexMissing as error:
            raise lost(self.info) from error

    def apply(self, change: Change) -> bool:
        """Writes the rows, and then the position, each only where it is not further on already.

        Raises:
            RowsRefused: rows do not fit the index; the others are written, and the position is as before.
            TargetUnavailable: the server is away; some rows may be written, and the position is as before.
        """
        with self._turn:  # of two threads with the same change, the one that moves the position has written the rows
            if (
                change.rows or change.to_position > change.from_position
            ):  # moved without rows, there must be an index too
                info = self._at(change)
                if info is None:
                    return False
                try:
                    self._write(info, change)
                except IndexMissing as error:
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

        Ended in between, the row says itself up to where it contains everything, and a repetition leaves those events out.

        Raises:
            RowsRefused: the row does not fit the index.
            TargetUnavailable: the server is away.
        """
        with self._turn:
            info = self.info
            waiting = {each.position for each in self.parked_events(mended.key)}
            if info.checkpoints[mended.partition].epoch != mended.epoch or not waiting.issuperset(mended.gone):
                return False
            try:
                if mended.rows:
                    self._rows(info).write(mended.rows, mended.gone[-1])
            except IndexMissing as error:
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

    def _rows(self, info: GenerationInfo) -> ElasticsearchRows:
        """The index, opened once; again when it becomes the live one, or if another generation has this number meanwhile."""
        wanted = info.made_us, info.state
        if self._opened is None or self._opened[0] != wanted:
            self._opened = wanted, self._open_rows(info)
        return self._opened[1]


def lost(info: GenerationInfo) -> NeedsRebuild:
    """The error for an index that somebody else has removed."""
    return NeedsRebuild(
        f"projection {info.projection!r}: the index of generation {info.number} of {info.target!r} is missing from Elasticsearch; "
        f"run `eventfold projections rebuild {info.projection}`"
    )
