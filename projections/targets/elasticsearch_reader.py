"""Reads the live rows from Elasticsearch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from projections.measure import Measure
from projections.search import Hit, Text
from projections.selection import Selection
from projections.target import GenerationInfo, live_of
from projections.targets.elasticsearch_bulk import IndexMissing
from projections.targets.elasticsearch_rows import ElasticsearchRows
from projections.targets.elasticsearch_seen import SeenGeneration
from projections.targets.memory_select import aggregated
from projections.targets.register import Register
from projections.targets.rows_apart import lost

T = TypeVar("T")


class ElasticsearchReader:
    """A reader of the live index, whichever that is when it reads.

    Args:
        register: knows which generation is live, and where it stands.
        rows_of: the index of a generation.
        seen: what this process has read before.
        key: the name of the key's field.
        reads_on: whether to raise `RowsSwapped` in place of showing what may be older than that.

    Attributes:
        parked: how many events up to the position that it has told are not in the rows.
    """

    def __init__(
        self,
        register: Register,
        rows_of: Callable[[GenerationInfo], ElasticsearchRows],
        seen: SeenGeneration,
        *,
        key: str,
        reads_on: bool = False,
    ) -> None:
        self._register = register
        self._rows_of = rows_of
        self._seen = seen
        self._key = key
        self._reads_on = reads_on
        self._told = False
        self.parked = 0

    @property
    def position(self) -> int:
        """Everything up to here is in the rows. What is read from now on is refreshed first, so that it is seen."""
        self._told = True
        live = live_of(self._register.all())
        self.parked = 0 if live is None else live.parked
        return 0 if live is None else live.position

    def accept(self) -> None:
        """Takes the live rows for new enough, because their position was asked for and is."""
        if (live := live_of(self._register.all())) is not None:
            self._seen.accept(live)

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants. A row under its key is read at once; others as queries see them."""
        if (key := self._one_key(selection)) is not None:
            return self._read(lambda rows: list(rows.fetch([key]).rows.values()), [], refresh=False)
        return self._read(lambda rows: rows.select(selection), [])

    def count(self, selection: Selection) -> int:
        """How many they are."""
        return self._read(lambda rows: rows.count(selection), 0)

    def aggregate(
        self, selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
    ) -> list[dict[str, Any]]:
        """The measures of each group. The rows are read and added up here: the server would add decimals as floats."""

        def added_up(rows: ElasticsearchRows) -> list[dict[str, Any]]:
            return aggregated(rows.select(selection), Selection(), groups, measures)

        return self._read(added_up, aggregated([], Selection(), groups, measures))

    def search(self, selection: Selection, text: Text) -> list[Hit[Any]]:
        """The rows that match and in which a text is found."""
        return self._read(lambda rows: rows.find(selection, text), [])

    def count_hits(self, selection: Selection, text: Text) -> int:
        """How many they are."""
        return self._read(lambda rows: rows.count_found(selection, text), 0)

    def _read(self, read: Callable[[ElasticsearchRows], T], nothing: T, *, refresh: bool = True) -> T:
        former = None
        while True:
            live = live_of(self._register.all())
            if live is None:
                return nothing
            rows = self._rows_of(live)
            try:
                if self._reads_on:
                    self._seen.require(live)
                if refresh:
                    self._seen.show(live, everything=self._told)
                return read(rows)
            except IndexMissing as error:
                if live.furthest == 0:  # it is made when the first row is written
                    return nothing
                if live.number == former:
                    raise lost(live) from error
                former = live.number  # perhaps another one is live by now

    def _one_key(self, selection: Selection) -> Any:
        match selection.conditions:
            case [only] if only.field == self._key and only.operator == "eq" and not selection.expressions:
                return only.value if selection.after is None and selection.limit != 0 else None
        return None
