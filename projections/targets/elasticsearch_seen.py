"""Which generation the queries of this process have read last, so that none of them goes back in time at a swap."""

from collections.abc import Callable

from projections.target import GenerationInfo, RowsSwapped
from projections.targets.elasticsearch_rows import ElasticsearchRows


class SeenGeneration:
    """What this process has read.

    Args:
        rows_of: the index of a generation.
        waits: whether writes wait until searches see them.
    """

    def __init__(self, rows_of: Callable[[GenerationInfo], ElasticsearchRows], *, waits: bool) -> None:
        self._rows_of = rows_of
        self._waits = waits
        self._read: tuple[int, int] | None = None
        self._shown: tuple[int, int] | None = None

    def require(self, live: GenerationInfo) -> None:
        """Makes sure that no other generation was read before.

        Raises:
            RowsSwapped: one was.
        """
        if self._read not in {None, _identity(live)}:
            raise RowsSwapped
        self._read = _identity(live)

    def accept(self, live: GenerationInfo) -> None:
        """From now on this one is read, which contains everything that was read before."""
        self._read = _identity(live)

    def show(self, live: GenerationInfo, *, everything: bool) -> None:
        """Lets searches see what was written before the index was the live one, when it was never refreshed; or everything.

        Raises:
            IndexMissing: there is no such index.
        """
        if live.furthest > 0 and (self._shown != _identity(live) or (everything and not self._waits)):
            self._rows_of(live).refresh()
            self._shown = _identity(live)


def _identity(live: GenerationInfo) -> tuple[int, int]:
    return live.number, live.made_us
