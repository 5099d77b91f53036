"""Append conditions on SQLite: the statement for one tag or two, whichever of them is rare."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from eventstore import AppendCondition, Query
from eventstore.backends.sqlite.condition import MAX_PARTS, conflict


@pytest.fixture
def cursor() -> Iterator[sqlite3.Cursor]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE TABLE tags (tag TEXT, type TEXT, position INTEGER, PRIMARY KEY (tag, type, position))"
        )
        yield connection.cursor()


def tag(cursor: sqlite3.Cursor, name: str, first: int, count: int) -> None:
    cursor.executemany("INSERT INTO tags VALUES (?, 'Opened', ?)", [(name, first + i) for i in range(count)])


def found(cursor: sqlite3.Cursor, query: Query, after: int = 0) -> list[tuple[int]]:
    statement = conflict("tags", AppendCondition(query, after))
    assert statement is not None
    return cursor.execute(*statement).fetchall()


@pytest.mark.parametrize(
    ("one", "two"), [(3, 3), (3, 40), (40, 3), (40, 50), (50, 40), (40, 400), (400, 40), (300, 400)]
)
def test_an_event_with_both_tags_is_found_whichever_is_rare_and_only_after_the_position(
    cursor: sqlite3.Cursor, one: int, two: int
) -> None:
    tag(cursor, "a", 1000 - one + 1, one)
    tag(cursor, "b", 1000, two)

    for tags in (["a", "b"], ["b", "a"]):
        query = Query.of("Opened", tags=tags)
        assert found(cursor, query) == [(1000,)]
        assert found(cursor, query, 1000) == []
        assert found(cursor, Query.of("Closed", tags=tags)) == []


def test_either_of_several_items_and_types_refuses(cursor: sqlite3.Cursor) -> None:
    tag(cursor, "a", 5, 1)

    assert found(cursor, Query.of("Closed", "Opened", tags=["b"]) | Query.of("Closed", "Opened", tags=["a"])) == [(5,)]
    assert found(cursor, Query.of("Opened", tags=["b"]) | Query.of("Opened", tags=["a", "b"])) == []


@pytest.mark.parametrize(
    "query",
    [
        Query.of("Opened"),
        Query.of(tags=["a"]),
        Query.of("Opened", tags=["a", "b", "c"]),
        Query.of("Opened", tags=["a"]) | Query.of(tags=["a"]),
        Query.of(*(f"Type{i}" for i in range(MAX_PARTS + 1)), tags=["a"]),
    ],
    ids=["no tags", "no types", "three tags", "one item of another kind", "many types"],
)
def test_other_conditions_are_left_to_the_statement_for_all_of_them(query: Query) -> None:
    assert conflict("tags", AppendCondition(query)) is None
