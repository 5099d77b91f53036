"""From a text to a full-text search, and from its answer to hits."""

from typing import Any

from projections.errors import InvalidQuery
from projections.search import Hit, Text
from projections.selection import Order, Selection
from projections.targets.elasticsearch_document import Documents
from projections.targets.elasticsearch_mapping import IndexField
from projections.targets.elasticsearch_select import query_of, sort_of

MAX_HITS = 10_000
"""What the server gives at once."""


def search_query(documents: Documents, selection: Selection, text: Text) -> dict[str, Any]:
    """The query for the rows that match and in which some of the words are found.

    Raises:
        InvalidQuery: a field holds no text, or the hits are to be sorted.
    """
    if selection.order:
        raise InvalidQuery("search: hits come in the order of their score; leave out order_by")
    match: dict[str, Any] = {"query": text.text, "fields": list(_names(documents, text))}
    if text.fuzziness:
        match["fuzziness"] = str(text.fuzziness).upper()
    query = query_of(documents, selection)
    query["bool"]["must"] = {"multi_match": match}
    return query


def search_body(documents: Documents, selection: Selection, text: Text, key: str) -> dict[str, Any]:
    """The search for the best hits, of equal ones the lowest key."""
    size = selection.limit if selection.limit is not None else MAX_HITS
    if size > MAX_HITS:
        raise InvalidQuery(f"search: expected at most {MAX_HITS:,} hits at once, got {size:,}; read page by page")
    body: dict[str, Any] = {
        "query": search_query(documents, selection, text),
        "sort": [{"_score": "desc"}, *sort_of(documents, (Order(key),))],
        "size": size,
        "track_total_hits": False,
    }
    if text.after is not None:
        body["search_after"] = list(text.after)
    if text.highlight:
        body["highlight"] = {"fields": {each.partition("^")[0]: {} for each in _names(documents, text)}}
    return body


def hits_of(documents: Documents, answer: Any) -> list[Hit[Any]]:
    """The hits of an answer, with the names of the model's fields."""
    names = {field.text or field.exact: name for name, field in documents.fields.items()}
    return [
        Hit(
            documents.decode(hit["_source"]),
            hit["_score"],
            {names[field]: pieces for field, pieces in hit.get("highlight", {}).items()},
            tuple(hit["sort"]),
        )
        for hit in answer["hits"]["hits"]
    ]


def _names(documents: Documents, text: Text) -> dict[str, None]:
    """What is searched in, by the names in the index, each with its weight."""
    if not text.fields:
        found = [field.text for field in documents.fields.values() if field.text is not None]
        if not found:
            raise InvalidQuery(
                "search: no field of the model holds text; give one a mapping, as in fields={...: 'text'}"
            )
        return dict.fromkeys(found)
    return dict.fromkeys(_name(documents, each) for each in text.fields)


def _name(documents: Documents, given: str) -> str:
    name, weighted, weight = given.partition("^")
    field = documents.fields.get(name)
    if field is None:
        raise InvalidQuery(f"search: no field {name!r}; there are {', '.join(documents.fields)}")
    if weighted and not _is_weight(weight):
        raise InvalidQuery(f"search: expected a weight > 0, as in {name}^2, got {given!r}")
    return f"{_searched(field)}{weighted}{weight}"


def _searched(field: IndexField) -> str:
    kind = field.properties[field.name].get("type", "object")
    if field.text is None and (kind != "keyword" or field.exact != field.name):
        raise InvalidQuery(f"search: {field.name} is {kind}, which holds no text")
    return field.text or field.name


def _is_weight(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False
