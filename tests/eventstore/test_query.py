"""Queries: how they are built, and what they refuse to be."""

from typing import Any

import pytest

from eventstore import AppendCondition, Event, InvalidInput, Query, QueryItem
from eventstore.query import check_condition, check_query, check_tags, type_names


class Opened(Event, event_type="account-opened"):
    pass


def test_a_query_is_built_of_classes_names_and_tags_each_once() -> None:
    query = Query.of(Opened, "closed", "account-opened", tags=["a:1", "b:2", "a:1"])

    assert query.items == (QueryItem(("account-opened", "closed"), ("a:1", "b:2")),)


def test_queries_are_joined_as_alternatives() -> None:
    either = Query.of(Opened) | Query.of(tags=["a:1"]) | Query.of("closed")

    assert [(item.types, item.tags) for item in either.items] == [
        (("account-opened",), ()),
        ((), ("a:1",)),
        (("closed",), ()),
    ]


def test_a_query_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="query: expected at least one type or tag, got neither"):
        Query.of()


@pytest.mark.parametrize("declared", [int, "", "x" * 121, "a\nb", None])
def test_what_is_no_type_is_refused(declared: Any) -> None:
    with pytest.raises(InvalidInput, match="types: expected Event classes, or names"):
        Query.of(declared)


@pytest.mark.parametrize("declared", ["Opened", Opened, 5])
def test_one_type_in_place_of_a_list_is_refused(declared: Any) -> None:
    with pytest.raises(InvalidInput, match="types: expected a list of Event classes or names, got"):
        type_names(declared)


@pytest.mark.parametrize("tags", ["red", 5, [""], ["x" * 256], ["a\0"], [None]])
def test_tags_that_no_event_can_have_are_refused(tags: Any) -> None:
    with pytest.raises(InvalidInput, match="tags: expected"):
        check_tags(tags)


@pytest.mark.parametrize("query", [None, "Opened", Query(()), Query((QueryItem(),))], ids=str)
def test_a_query_that_cannot_be_asked_is_refused_by_the_name_of_its_place(query: Any) -> None:
    with pytest.raises(InvalidInput, match="filter: query: expected"):
        check_query("filter", query)
    with pytest.raises(InvalidInput, match="append condition: query: expected"):
        check_condition(AppendCondition(query))
