"""Measures over groups of rows."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from projections.errors import InvalidQuery
from projections.measure import Measure, check_measures
from projections.stale import WAIT_SECONDS, StaleOption

if TYPE_CHECKING:
    from projections.query import ModelQuery

M = TypeVar("M")


class GroupedQuery(Generic[M]):
    """A query whose rows are grouped.

    Args:
        query: which rows.
        fields: what members of a group have in common.
    """

    def __init__(self, query: "ModelQuery[M]", fields: tuple[str, ...]) -> None:
        self._query = query
        self._fields = fields

    def aggregate(
        self,
        *,
        after: str | None = None,
        timeout: float = WAIT_SECONDS,
        stale: StaleOption = False,
        **measures: Measure,
    ) -> list[dict[str, Any]]:
        """For each group its fields and its measures, by name, in the order of the fields. See `ModelQuery.aggregate`.

        Raises:
            InvalidQuery: a measure does not fit the model, or has the name of a field that is grouped by.
        """
        for name in measures:
            if name in self._fields:
                raise InvalidQuery(f"aggregate: {name} is a field that is grouped by; give the measure another name")
        checked = check_measures(self._query.model, measures)
        return self._query.read(
            lambda reader: reader.aggregate(self._query.selection, self._fields, checked),
            after=after,
            timeout=timeout,
            stale=stale,
        )
