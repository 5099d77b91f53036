"""Decodes a real log with the event classes of a program, and counts what fails."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from eventstore.backend import Backend, LogFilter, Row
from eventstore.codec import Codec
from eventstore.errors import EventfoldError
from eventstore.stream import category_of

PAGE = 5_000


class Read(msgspec.Struct):
    """How the events of one stored type and version read.

    Attributes:
        type: the stored name.
        schema: the schema version.
        events: how many were looked at.
        failed: how many of them cannot be read.
        position: of the first that cannot.
        problem: why it cannot.
    """

    type: str
    schema: int
    events: int = 0
    failed: int = 0
    position: int | None = None
    problem: str | None = None


class LogCheck:
    """Counts, batch by batch.

    Args:
        codec: of the program's events.
        needed: for categories whose streams are loaded as aggregates, the codec of each, which refuses what it does not declare.
    """

    def __init__(self, codec: Codec, needed: Mapping[str, Collection[Codec]]) -> None:
        self._codec = codec
        self._needed = needed
        self._read: dict[tuple[str, int], Read] = {}

    @property
    def result(self) -> list[Read]:
        """What was found so far, by type and version."""
        return [self._read[node] for node in sorted(self._read)]

    def add(self, rows: Sequence[Row]) -> None:
        """Decodes more stored events."""
        counts = Counter([(row[4], row[5]) for row in rows])
        for node, count in counts.items():
            self._read.setdefault(node, Read(*node)).events += count
        failed = self._faults(self._codec, rows)
        for category, codecs in self._needed.items():
            mine = [row for row in rows if row[1].startswith(category) and category_of(row[1]) == category]
            for codec in codecs:
                failed |= self._faults(codec, [row for row in mine if row[0] not in failed])

    def _faults(self, codec: Codec, rows: Sequence[Row]) -> set[int]:
        """The positions of those that a codec cannot read: all at once, and one by one only where that fails."""
        try:
            codec.decode_events(rows)
        except EventfoldError:
            return {row[0] for row in rows if not self._reads(codec, row)}
        return set()

    def _reads(self, codec: Codec, row: Row) -> bool:
        try:
            codec.decode([row])
        except EventfoldError as error:
            read = self._read[row[4], row[5]]
            read.failed += 1
            if read.position is None:
                read.position, read.problem = row[0], str(error)
            return False
        return True


def pages(backend: Backend, sample: int | None = None) -> Iterator[list[Row]]:
    """The stored events of the whole log, or about `sample` of them: pages that lie evenly over it."""
    head = backend.horizon()
    if sample is None or sample >= head:
        yield from _whole(backend.log_page, head)
        return
    size = min(100, sample)
    count = max(1, sample // size)
    for i in range(count):
        after = i * (head - size) // max(1, count - 1) if count > 1 else head - size
        yield backend.log_page(LogFilter(), after, head, size)


def _whole(page: Callable[..., list[Row]], head: int) -> Iterator[list[Row]]:
    after = 0
    while after < head:
        rows = page(LogFilter(), after, head, PAGE)
        yield rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]
