"""From a selection to an Elasticsearch query."""

import math
from collections.abc import Sequence
from typing import Any

from projections.errors import InvalidQuery
from projections.selection import Condition, Order, Selection
from projections.targets.elasticsearch_document import Documents
from projections.targets.elasticsearch_mapping import DELETED, MAX_COMPARED, IndexField

MAX_TERMS = 10_000
NOT_DELETED: dict[str, Any] = {"bool": {"must_not": {"exists": {"field": DELETED}}}}
"""Hides the documents of deleted rows."""


def query_of(documents: Documents, selection: Selection) -> dict[str, Any]:
    """The query for the rows that match.

    Raises:
        InvalidQuery: a field is not kept in a way that could be compared.
    """
    if selection.expressions:
        raise InvalidQuery(
            "where: a model in Elasticsearch takes no SQLAlchemy expressions; compare fields by keyword, as in "
            "where(amount__gt=100)"
        )
    return {"bool": {"filter": [NOT_DELETED, *[_condition(documents, each) for each in selection.conditions]]}}


def sort_of(documents: Documents, order: Sequence[Order]) -> list[dict[str, Any]]:
    """The order, nothing first as in every target."""
    return [
        {
            _exact(documents.fields[each.field]): {
                "order": "desc" if each.descending else "asc",
                "missing": "_last" if each.descending else "_first",
            }
        }
        for each in order
    ]


def after_of(documents: Documents, selection: Selection) -> dict[str, Any]:
    """The filter for the rows later in the order than the last one of the page before.

    They are equal to it in the first n fields and beyond it in the next one, for some n.
    """
    assert selection.after is not None  # noqa: S101 - for the type checker; the caller has looked
    ways: list[dict[str, Any]] = []
    equal: list[dict[str, Any]] = []
    for order, last in zip(selection.order, selection.after, strict=True):
        beyond = _beyond(documents, order, last)
        if beyond is not None:
            ways.append({"bool": {"filter": [*equal, beyond]}})
        same = Condition(order.field, "null", value=True) if last is None else Condition(order.field, "eq", last)
        equal.append(_condition(documents, same))
    return {"bool": {"should": ways, "minimum_should_match": 1}} if ways else {"match_none": {}}


def _beyond(documents: Documents, order: Order, last: Any) -> dict[str, Any] | None:
    if last is None:
        return None if order.descending else _condition(documents, Condition(order.field, "null", value=False))
    if not order.descending:
        return _condition(documents, Condition(order.field, "gt", last))
    less, nothing = Condition(order.field, "lt", last), Condition(order.field, "null", value=True)
    return {"bool": {"should": [_condition(documents, less), _condition(documents, nothing)]}}


def _condition(documents: Documents, condition: Condition) -> dict[str, Any]:
    field = documents.fields[condition.field]
    name = _exact(field)
    match condition.operator:
        case "null":
            there = _there(name)
            return {"bool": {"must_not": there}} if condition.value else there
        case "in":
            return _one_of(name, [_value(field, each) for each in condition.value])
        case "prefix":
            return {"prefix": {name: {"value": _value(field, condition.value)}}} if condition.value else _there(name)
        case "eq":
            return {"term": {name: {"value": _value(field, condition.value)}}}
        case "ne":
            same = {"term": {name: {"value": _value(field, condition.value)}}}
            return {"bool": {"must_not": same, "filter": _there(name)}}
        case operator:
            return {"range": {name: {operator: _value(field, condition.value)}}}


def _one_of(name: str, values: list[Any]) -> dict[str, Any]:
    parts = [values[i : i + MAX_TERMS] for i in range(0, len(values), MAX_TERMS)]
    return {"bool": {"should": [{"terms": {name: part}} for part in parts]}} if parts else {"match_none": {}}


def _there(name: str) -> dict[str, Any]:
    """Whether a field has a value, be it one that is too long to be compared."""
    return {"bool": {"should": [{"exists": {"field": name}}, {"term": {"_ignored": name}}]}}


def _exact(field: IndexField) -> str:
    if field.exact is None:
        raise InvalidQuery(
            f"{field.name} is kept as {field.properties[field.name]['type']}, which is searched and not compared; give it a "
            'keyword beside it: fields={"' + field.name + '": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}'
        )
    return field.exact


def _value(field: IndexField, value: Any) -> Any:
    found = field.compare(value)
    if isinstance(found, str) and len(found) > MAX_COMPARED:
        raise InvalidQuery(
            f"{field.name}: expected at most {MAX_COMPARED:,} characters, which is what Elasticsearch compares, got {len(found):,}"
        )
    if isinstance(found, float) and not math.isfinite(found):
        raise InvalidQuery(f"{field.name}: expected a finite number, got {found!r}")
    return found
