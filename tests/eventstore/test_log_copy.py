"""Copies of a log: the same in another database, or as a transform makes it; interrupted, continued, refused, proven."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from eventstore import EventStore, InvalidInput, NewEvent, Query, StoreError, Unsupported, open_store
from eventstore.backend import LogFilter, Row
from eventstore.backends.sqlite.attached import attached
from eventstore.loading import load_stream
from eventstore.log_copy import copy_log, import_of, target_position_of
from eventstore.log_proof import CopyStep
from eventstore.testing.contract.snapshots import Purse
from eventstore.testing.contract.vocabulary import (
    EVENTS,
    CourseDefined,
    Deposited,
    Renamed,
    StudentSubscribed,
    Withdrawn,
)
from tests.eventstore.copy_victim import copy_slowly, reshape
from tests.eventstore.forked import processes

Open: TypeAlias = Callable[[str], EventStore]
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgresql)
KILLS = 50
ONE_ID = "018f3c5e-7b0a-7c3d-9e2f-1a2b3c4d5e6f"


@pytest.fixture
def open_one(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens logs by a name: those that begin with `postgres` are in that database, with a prefix of their own."""
    with ExitStack() as stack:

        def open_it(name: str) -> EventStore:
            url = request.getfixturevalue("postgres_url") if name.startswith("postgres") else url_of(tmp_path, name)
            prefix = f"{name}_" if name.startswith("postgres") else "eventfold_"
            return stack.enter_context(open_store(url, events=EVENTS, migrate=True, prefix=prefix))

        yield open_it


def url_of(folder: Path, name: str) -> str:
    return "memory://" if name == "memory" else f"sqlite:///{folder / name}.db"


def rows_of(store: EventStore) -> list[Row]:
    return store.backend.log_page(LogFilter(), 0, store.head(), 10**6)


def fill(store: EventStore) -> None:
    store.append(
        "account-1",
        [Deposited(1), NewEvent(Withdrawn(2), metadata={"by": "ada"}, correlation_id="c", causation_id="d")],
    )
    store.append("course-x", [CourseDefined("x", 3)])
    store.append("account-2", [NewEvent(Renamed("é✓"), occurred_at=datetime(1999, 1, 1, tzinfo=UTC), tags=["a:b"])])
    store.append("student-s", [StudentSubscribed("s", "x")])
    store.append("account-1", [Deposited(5)])


@pytest.mark.parametrize("source_kind", ["memory", "sqlite", POSTGRES])
@pytest.mark.parametrize("target_kind", ["sqlite", POSTGRES])
def test_without_a_transform_everything_is_the_same(open_one: Open, source_kind: str, target_kind: str) -> None:
    source, target = open_one(source_kind), open_one(f"{target_kind}2")
    fill(source)
    if source_kind == "postgres":  # a refused append leaves a gap behind
        leave_a_gap(source)
    source.append("account-9", [Deposited(9)])

    copied = copy_log(source, target)

    assert rows_of(target) == rows_of(source)
    assert copied.events_written == copied.events_read == target.backend.count() == 7
    assert target.head() == copied.target_position == copied.source_position == source.head()
    assert [each.event for each in target.read_log(query=Query.of(tags=["course:x", "student:s"]))] == [
        StudentSubscribed("s", "x")
    ]
    appended = target.append("account-1", [Deposited(1)], expected=3)
    assert appended.position == copied.target_position + 1
    assert [each.position for each in target.read_log(after=copied.target_position)] == [appended.position]


def leave_a_gap(store: EventStore) -> None:
    assert store.backend.engine is not None
    with store.backend.engine.connect() as connection:
        connection.begin()
        store.append("account-1", [Deposited(1)], connection=connection)
        connection.rollback()


def test_there_and_back_again_is_the_same(open_one: Open, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("postgres_url")
    first, between, last = open_one("first"), open_one("postgres"), open_one("last")
    fill(first)

    there, back = copy_log(first, between), copy_log(between, last)

    assert there.sha256 == back.sha256
    assert rows_of(last) == rows_of(first)


@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
def test_with_a_transform_streams_and_positions_are_counted_anew(open_one: Open, kind: str) -> None:
    source, target = open_one("source"), open_one(kind)
    fill(source)

    copied = copy_log(source, target, reshape, name="reshape")

    found = [(row[0], row[1], row[2], row[4], row[12]) for row in rows_of(target)]
    assert found == [
        (1, "account-all", 1, "Deposited", '{"amount":1}'),
        (2, "account-1", 1, "Withdrawn", '{"amount":1}'),
        (3, "account-1", 2, "Withdrawn", '{"amount":1}'),
        (4, "account-all", 2, "AccountNamed", '{"title":"é✓"}'),
        (5, "student-s", 1, "StudentSubscribed", '{"student_id":"s","course_id":"x"}'),
        (6, "account-all", 3, "Deposited", '{"amount":5}'),
    ]
    assert (copied.events_read, copied.events_written, copied.target_position) == (6, 6, 6)
    assert [target_position_of(target, position) for position in range(8)] == [0, 1, 3, 3, 4, 5, 6, 6]
    ids = [row[6] for row in rows_of(target)]
    assert len(set(ids)) == 6
    assert ids[0] == rows_of(source)[0][6]


def test_a_finished_copy_takes_in_what_has_come_since(open_one: Open) -> None:
    source, target = open_one("source"), open_one("target")
    for _ in range(3):
        fill(source) if source.head() == 0 else source.append("account-1", [Deposited(1), Withdrawn(4)])
        copied = copy_log(source, target, reshape, name="reshape")
    steps: list[CopyStep] = []

    again = copy_log(source, target, reshape, name="reshape", on_progress=steps.append)

    whole = open_one("whole")
    assert again == copied == copy_log(source, whole, reshape, name="reshape")
    assert {step.phase for step in steps} == {"verify"}
    assert [row[:3] + row[4:] for row in rows_of(target)] == [row[:3] + row[4:] for row in rows_of(whole)]


def test_a_transform_without_a_name_goes_by_that_of_its_function(open_one: Open) -> None:
    source, target = open_one("source"), open_one("target")
    fill(source)

    copy_log(source, target, reshape)

    assert target_position_of(target, 2) == 3  # a withdrawal has become two
    with pytest.raises(InvalidInput, match=r"begun with tests\.eventstore\.copy_victim:reshape, got none"):
        copy_log(source, target)


@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
def test_a_target_that_holds_other_events_is_refused(open_one: Open, kind: str) -> None:
    source, target = open_one("source"), open_one(kind)
    fill(source)
    target.append("account-1", [Deposited(1)])

    with pytest.raises(InvalidInput, match="expected an empty log or the beginning of this copy"):
        copy_log(source, target)

    assert target.head() == 1


def test_a_copy_that_was_written_to_or_comes_from_elsewhere_is_refused(open_one: Open) -> None:
    source, other, target = open_one("source"), open_one("other"), open_one("target")
    fill(source)
    fill(other)
    copy_log(source, target)

    with pytest.raises(InvalidInput, match=r"it is a copy of another log than SQLite other\.db"):
        copy_log(other, target)
    with pytest.raises(InvalidInput, match="begun with none, got reshape"):
        copy_log(source, target, reshape, name="reshape")
    target.append("account-1", [Deposited(1)])
    with pytest.raises(InvalidInput, match="which ends at position 6, got one that ends at 7"):
        copy_log(source, target)


@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
@pytest.mark.parametrize("transform", [None, lambda event: None if event.position > 1 else event])
def test_of_two_copies_into_one_log_at_once_one_goes_on(
    open_one: Open, kind: str, transform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstore.log_copy.PAGE", 2)
    source, target = open_one("source"), open_one(kind)
    fill(source)

    def copy_too(step: CopyStep) -> None:
        if (step.phase, step.position) == ("copy", 2):
            copy_log(source, target, transform, name="too")

    with pytest.raises(
        InvalidInput, match="to have come to position 2 of the source, got one that has come to 6: another"
    ):
        copy_log(source, target, transform, name="too", on_progress=copy_too)

    assert copy_log(source, target, transform, name="too").source_position == 6


def test_a_log_in_memory_is_no_target(open_one: Open) -> None:
    with pytest.raises(Unsupported, match="memory: a log cannot be copied into it"):
        copy_log(open_one("source"), open_one("memory"))


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda event: event.data["nothing"], r"KeyError: 'nothing'"),
        (lambda _event: [1], "expected a CopiedEvent, several of them or None, got 1"),
        (lambda _event: 1, "'int' object is not iterable"),
        (lambda event: replace(event, stream=""), "expected 1 to 255 characters"),
        (lambda event: replace(event, data=[]), r"data: expected a dict of JSON values, got \[\]"),
        (lambda event: replace(event, schema=0), "positive schema version"),
        (lambda event: replace(event, event_id="x"), "expected a UUID"),
        (lambda event: [replace(event, event_id=ONE_ID)] * 2, f"event_id: expected one that no other .* got {ONE_ID}"),
        (lambda event: replace(event, type="x" * 121), "types: expected Event classes, or names of 1 to 120"),
        (lambda event: replace(event, schema=True), "schema: expected a positive schema version, got True"),
        (lambda event: replace(event, data={"a": object()}), "data: expected what JSON can hold"),
        (lambda event: replace(event, data={"a": float("nan")}), "data: expected a finite number, got nan"),
        (lambda event: replace(event, data={"a": "\0"}), "data: expected text without NUL"),
        (lambda event: replace(event, data={"a": "\ud800"}), "data: expected text without lone surrogates"),
        (lambda event: replace(event, metadata=[1]), r"metadata: expected a dict of JSON values, or None, got \[1\]"),
        (lambda event: replace(event, recorded_us=1.5), "recorded_us: expected microseconds since 1970, .* got 1.5"),
        (lambda event: replace(event, occurred_us=1 << 62), "occurred_us: expected microseconds since 1970"),
        (lambda event: replace(event, correlation_id=7), "correlation_id: expected 1 to 255 printable characters"),
        (lambda event: replace(event, causation_id=""), "causation_id: expected 1 to 255 printable characters"),
    ],
)
def test_what_a_transform_does_wrongly_is_named_and_nothing_is_written(
    open_one: Open, transform: Any, message: str
) -> None:
    source, target = open_one("source"), open_one("target")
    fill(source)

    with pytest.raises(InvalidInput, match=message) as caught:
        copy_log(source, target, transform, name="wrong")

    assert "event 'Deposited' at position 1 (stream 'account-1' version 1)" in str(caught.value)
    assert target.head() == 0
    assert import_of(target).progress() is None


WRONG = {
    "a payload": (
        "UPDATE {events} SET payload = '{{}}' WHERE position = 3",
        r"expected \(3, 'course-x', 1, .*, got \(3",
    ),
    "a letter": (
        "UPDATE {events} SET stream = 'course-y' WHERE position = 3",
        "'course-x', 1, .*, got .*'course-y', 1,",
    ),
    "an instant": (
        "UPDATE {events} SET recorded_at = recorded_at + 1 WHERE position = 3",
        r"expected \(3, .*, got \(3",
    ),
    "nothing in place of a text": ("UPDATE {events} SET tags = NULL WHERE position = 4", r"expected \(4, .*, None, '"),
    "one too few": ("DELETE FROM {events} WHERE position = 5", r"expected \(5, .*, got \(6"),
}


@pytest.mark.parametrize("transform", [None, lambda event: event], ids=["unchanged", "transformed"])
@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_copy_that_is_not_what_it_should_be_is_found(open_one: Open, kind: str, wrong: str, transform: Any) -> None:
    source, target = open_one("source"), open_one(kind)
    fill(source)
    copy_log(source, target, transform)
    mistake, message = WRONG[wrong]
    change(target, mistake)

    with pytest.raises(StoreError, match=f"the copy is wrong: .*{message}"):
        copy_log(source, target, transform)


def test_a_byte_that_is_no_text_is_found(open_one: Open) -> None:
    source, target = open_one("source"), open_one("target")
    fill(source)
    copy_log(source, target)
    change(target, "UPDATE {events} SET payload = CAST(x'7bff7d' AS TEXT) WHERE position = 2")

    with pytest.raises(StoreError, match=r"the copy is wrong: expected \(2, .*, got b'\[2,"):
        copy_log(source, target)


def change(store: EventStore, statement: str) -> None:
    """Changes what no user can."""
    database = store.backend.sql
    assert database is not None
    events = f"{database.prefix}events"
    with database.transaction() as connection:
        if database.dialect == "sqlite":
            for kind in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {events}_no_{kind}")
        else:
            connection.exec_driver_sql(f"ALTER TABLE {events} DISABLE TRIGGER USER")
        connection.exec_driver_sql(statement.format(events=events))


def test_every_character_is_copied_and_the_digest_does_not_depend_on_the_database(
    open_one: Open, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("postgres_url")
    everything = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x11000)]))
    source, sqlite, memory = open_one("source"), open_one("sqlite"), open_one("memory")
    for i in range(0, len(everything), 1000):
        for store in (source, memory):
            store.append("account-1", [Renamed(everything[i : i + 1000])])

    copied = copy_log(source, sqlite)

    assert rows_of(sqlite) == rows_of(source)
    assert copied.sha256 == copy_log(source, open_one("postgres")).sha256
    assert copied.sha256 == sha256(b"".join(msgspec.json.encode(row) + b"\n" for row in rows_of(source))).hexdigest()


def test_the_source_is_written_to_while_a_page_of_it_is_copied(open_one: Open) -> None:
    source, target = open_one("source"), open_one("target")
    fill(source)
    assert source.backend.sql is not None
    assert target.backend.sql is not None

    with target.backend.sql.transaction(partial(attached, source.backend.sql)) as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM source.eventfold_events").scalar_one()
        source.append("account-1", [Deposited(1)])
        with pytest.raises(DBAPIError, match="readonly"):
            connection.exec_driver_sql("DELETE FROM source.eventfold_events")

    assert before == 6
    assert copy_log(source, target).events_written == 7


def test_a_log_is_copied_beside_itself_and_from_a_path_that_has_to_be_quoted(tmp_path: Path) -> None:
    url = url_of(tmp_path, "a b?c#d%20é")
    with (
        open_store(url, events=EVENTS, migrate=True, prefix="old_") as source,
        open_store(url, events=EVENTS, migrate=True, prefix="new_") as target,
    ):
        fill(source)

        copy_log(source, target)

        assert rows_of(target) == rows_of(source)
        assert [each.stream for each in target.read_log(tags=["course:x"])] == ["course-x", "student-s"]


@pytest.mark.parametrize("kind", ["sqlite", POSTGRES])
def test_given_a_copy_killed_at_seeded_points_then_it_goes_on_and_ends_as_one_that_was_not(
    tmp_path: Path, open_one: Open, kind: str, request: pytest.FixtureRequest
) -> None:
    source, whole = open_one("source"), open_one("whole")
    chance = random.Random(1)
    for _ in range(60):
        source.append(
            f"account-{chance.randrange(5)}", [Deposited(chance.randrange(9)), Withdrawn(chance.randrange(9))]
        )
    wanted = copy_log(source, whole, reshape, name="reshape")
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else url_of(tmp_path, "target")
    open_store(url, migrate=True).close()

    reached = [kill_copy(url_of(tmp_path, "source"), url, chance.random()) for _ in range(KILLS)]

    with open_store(url, events=EVENTS) as target:
        assert any(0 < each < source.head() for each in reached)
        assert copy_log(source, target, reshape, name="reshape") == wanted
        assert rows_of(target) == rows_of(whole)


def kill_copy(source: str, target: str, moment: float) -> int:
    """Runs a copy in pages of one event, kills it somewhere, and returns how far it had come."""
    receiver, sender = processes.Pipe(duplex=False)
    victim = processes.Process(target=copy_slowly, args=(source, target, sender))
    victim.start()
    sender.close()
    position = 0
    try:
        for _ in range(1 + int(moment * 4)):
            position = receiver.recv()
    except EOFError:
        pass  # it had come to the end
    victim.kill()
    victim.join()
    victim.close()
    receiver.close()
    return position


happenings = st.one_of(
    st.builds(Deposited, st.integers(0, 99)), st.builds(Withdrawn, st.integers(0, 99)), st.builds(Renamed, st.just("n"))
)


@settings(max_examples=20, deadline=None)
@given(history=st.lists(st.tuples(st.integers(1, 3), st.lists(happenings, min_size=1, max_size=4)), max_size=12))
def test_states_of_a_copied_log_are_those_of_the_log(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[int, list[Any]]]
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    with (
        open_store("memory://", events=EVENTS) as source,
        open_store(url_of(folder, "target"), events=EVENTS, synchronous="NORMAL") as target,
    ):
        for stream, new in history:
            source.append(f"account-{stream}", new)

        copy_log(source, target)

        for n in range(1, 4):
            assert load_stream(target.backend, Purse, f"account-{n}") == load_stream(
                source.backend, Purse, f"account-{n}"
            )
