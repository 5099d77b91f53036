"""Appends to a SQLite log: the short way for one plain event, and the long one for everything else."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest

from eventstore import (
    ANY,
    NO_STREAM,
    AppendCondition,
    AppendConditionFailed,
    Event,
    NewEvent,
    Query,
    StreamAppend,
    Tag,
    WrongExpectedVersion,
    open_store,
)
from eventstore.backend import WriteRequest, Written
from eventstore.backends.sqlite.lone import write_lone
from eventstore.backends.sqlite.sql import Sql
from eventstore.backends.sqlite.writer import write_group
from eventstore.identifier import new_id
from eventstore.preparation import prepare

SQL = Sql("eventfold_")


class Opened(Event):
    owner: str
    kind: Annotated[str | None, Tag] = None


@pytest.fixture
def cursor(tmp_path: Path) -> Iterator[sqlite3.Cursor]:
    path = tmp_path / "log.db"
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection.cursor()


def asked(stream: str, *events: Any, expected: Any = ANY, condition: AppendCondition | None = None) -> WriteRequest:
    return prepare([StreamAppend(stream, list(events), expected)], condition, max_payload=1000)


def rows(cursor: sqlite3.Cursor) -> list[Any]:
    return cursor.execute("SELECT position, stream, version FROM eventfold_events ORDER BY position").fetchall()


def test_one_plain_event_is_stored_in_one_statement(cursor: sqlite3.Cursor) -> None:
    assert write_lone(cursor, SQL, [asked("a-1", Opened("ada"), expected=NO_STREAM)]) == [Written(1, {"a-1": 1})]
    assert write_lone(cursor, SQL, [asked("a-1", Opened("bob"), expected=1)]) == [Written(2, {"a-1": 2})]

    assert rows(cursor) == [(1, "a-1", 1), (2, "a-1", 2)]


def test_a_tagged_event_under_a_condition_is_stored_once(cursor: sqlite3.Cursor) -> None:
    condition = AppendCondition(Query.of(Opened, tags=["kind:vip"]))
    first, second = (asked(stream, Opened("ada", "vip"), expected=0, condition=condition) for stream in ("a-1", "b-1"))

    assert write_lone(cursor, SQL, [first]) == [Written(1, {"a-1": 1})]
    (refusal,) = write_lone(cursor, SQL, [second]) or []

    assert isinstance(refusal, AppendConditionFailed)
    assert refusal.position == 1
    assert rows(cursor) == [(1, "a-1", 1)]
    assert cursor.execute("SELECT * FROM eventfold_event_tags").fetchall() == [("kind:vip", "Opened", 1)]


@pytest.mark.parametrize("correlation", [None, "c-1"], ids=["bare", "with an envelope"])
def test_plain_events_of_a_group_are_stored_as_one_by_one(cursor: sqlite3.Cursor, correlation: str | None) -> None:
    event = NewEvent(Opened("ada"), correlation_id=correlation)
    group = [asked("a-1", event, expected=0), asked("b-1", event, expected=NO_STREAM), asked("a-1", event, expected=1)]

    assert write_lone(cursor, SQL, group) == [Written(1, {"a-1": 1}), Written(2, {"b-1": 1}), Written(3, {"a-1": 2})]
    assert rows(cursor) == [(1, "a-1", 1), (2, "b-1", 1), (3, "a-1", 2)]


def test_a_group_is_left_to_the_long_way_as_a_whole(cursor: sqlite3.Cursor) -> None:
    plain = asked("a-1", Opened("ada"), expected=0)

    for other in (
        asked("b-1", Opened("bob"), expected=1),
        asked("b-1", Opened("bob", "vip"), expected=0),
        asked("b-1", NewEvent(Opened("bob"), correlation_id="c-1"), expected=0),
    ):
        assert write_lone(cursor, SQL, [plain, other]) is None
        assert rows(cursor) == []
        assert not cursor.connection.in_transaction


@pytest.mark.parametrize(
    "refused",
    [
        asked("a-1", Opened("ada"), expected=1),
        asked("a-1", Opened("ada"), expected=ANY),
        asked("a-1", Opened("ada"), Opened("bob"), expected=0),
        asked("a-1", NewEvent(Opened("ada"), event_id=new_id()), expected=0),
    ],
    ids=["another version", "any version", "two events", "an id of the caller's"],
)
def test_what_is_more_than_that_is_left_to_the_long_way(cursor: sqlite3.Cursor, refused: WriteRequest) -> None:
    assert write_lone(cursor, SQL, [refused]) is None
    assert rows(cursor) == []


def test_of_a_group_each_request_sees_those_before_it_and_a_refused_one_leaves_nothing(cursor: sqlite3.Cursor) -> None:
    group = [
        asked("a-1", Opened("ada", "vip"), expected=NO_STREAM),
        asked("a-1", Opened("bob"), expected=NO_STREAM),
        asked("a-1", Opened("cy"), Opened("di"), expected=1),
    ]

    (first, second, third), stored = write_group(cursor, SQL, group)

    assert (first, third) == (Written(1, {"a-1": 1}), Written(3, {"a-1": 3}))
    assert isinstance(second, WrongExpectedVersion)
    assert second.actual == 1
    assert [(each.request, each.written) for each in stored] == [(group[0], first), (group[2], third)]
    assert rows(cursor) == [(1, "a-1", 1), (2, "a-1", 2), (3, "a-1", 3)]
    assert cursor.execute("SELECT * FROM eventfold_event_tags").fetchall() == [("kind:vip", "Opened", 1)]
