"""From a selection to rows, over rows in memory: in the order and with the comparisons that SQL databases have."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from projections.measure import Measure, measured
from projections.selection import Condition, Operator, Selection

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge}


def matching(rows: Iterable[Any], selection: Selection) -> list[Any]:
    """The rows for which all conditions hold."""
    return [row for row in rows if all(_holds(row, condition) for condition in selection.conditions)]


def selected(rows: Iterable[Any], selection: Selection) -> list[Any]:
    """The rows that match, in order, from after the last page on."""
    found = matching(rows, selection)
    for order in reversed(selection.order):
        found.sort(key=lambda row: _sortable(getattr(row, order.field)), reverse=order.descending)
    if selection.after is not None:
        found = [row for row in found if _is_after(row, selection)]
    return found[: selection.limit]


def aggregated(
    rows: Iterable[Any], selection: Selection, groups: Sequence[str], measures: Mapping[str, Measure]
) -> list[dict[str, Any]]:
    """The measures of each group, in the order of the groups."""
    found: dict[tuple[Any, ...], list[Any]] = {} if groups else {(): []}
    for row in matching(rows, selection):
        found.setdefault(tuple([getattr(row, name) for name in groups]), []).append(row)
    ordered = sorted(found.items(), key=lambda item: [_sortable(value) for value in item[0]])
    return [
        dict(zip(groups, key, strict=True)) | {name: measured(each, members) for name, each in measures.items()}
        for key, members in ordered
    ]


def _holds(row: Any, condition: Condition) -> bool:
    value, wanted = getattr(row, condition.field), condition.value
    match condition.operator:
        case "null":
            return (value is None) is wanted
        case "in":
            return bool(value in wanted)
        case "prefix":
            return isinstance(value, str) and value.startswith(wanted)
        case operator:
            return value is not None and bool(_COMPARE[operator](value, wanted))


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value)


def _is_after(row: Any, selection: Selection) -> bool:
    assert selection.after is not None  # noqa: S101 - for the type checker; the caller has looked
    for order, last in zip(selection.order, selection.after, strict=True):
        value, bound = _sortable(getattr(row, order.field)), _sortable(last)
        if value != bound:
            return value < bound if order.descending else value > bound
    return False
