"""What cannot be stored, or stored in, is refused with field, expected and actual, and nothing is stored.

What every backend owes is in the contract (`limits.py`, `reading_streams.py`, ...); here is what is found before a
backend sees it, and what goes wrong with the databases themselves.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pytest

from eventstore import (
    DefinitionError,
    Event,
    EventStore,
    InvalidEvent,
    InvalidInput,
    InvalidStreamName,
    NewEvent,
    NotMigrated,
    SchemaTooNew,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    StreamAppend,
    Tag,
    open_store,
)

NOT_A_NUMBER = float("nan")
LONE_SURROGATE = "\ud800"
INVALID_UTF_8 = b"\xff".decode(errors="surrogateescape")


class Opened(Event):
    owner: str
    cents: int = 0
    rate: float = 0.0
    notes: Any = None
    kind: Annotated[str, Tag] = "plain"


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


@pytest.fixture
def store() -> Iterator[EventStore]:
    """An open store, in which nothing may be found afterwards."""
    with open_store("memory://", events=Opened) as store:
        yield store
        assert store.head() == 0
        assert list(store.streams()) == []


# -- the event -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "field", "expected", "actual"),
    [
        (Opened(5), "owner", "Expected `str`", "got 5"),  # type: ignore[arg-type]  # wrong on purpose
        (Opened("ada", "5"), "cents", "Expected `int`", "got '5'"),  # type: ignore[arg-type]  # wrong on purpose
        (Opened("ada", 1.5), "cents", "Expected `int`", "got 1.5"),  # type: ignore[arg-type]  # wrong on purpose
        (Opened("ada", True), "cents", "Expected `int`", "got True"),
        (Opened("ada", rate=NOT_A_NUMBER), "rate", "expected a finite number", "got nan"),
        (Opened("ada", rate=-float("inf")), "rate", "expected a finite number", "got -inf"),
        (Opened("ada", rate=10**400), "rate", "Number out of range", "(401 characters)"),
        (Opened("ada", notes={"deep": [NOT_A_NUMBER]}), "notes", "expected a finite number", "got nan"),
        (Opened(LONE_SURROGATE), "owner", "expected text without lone surrogates", r"got '\ud800'"),
        (Opened(INVALID_UTF_8), "owner", "expected text without lone surrogates", r"got '\udcff'"),
        (Opened("ada", notes={LONE_SURROGATE: 1}), "notes", "expected text without lone surrogates", "got {"),
        (Opened(b"\xff"), "owner", "expected a value that reads back equal", r"got b'\xff'"),  # type: ignore[arg-type]  # wrong on purpose
        (Opened("a\0b"), "owner", "expected text without NUL", r"got 'a\x00b'"),
        (Opened("ada", notes={"a\0": 1}), "notes", "expected text without NUL", r"got 'a\x00'"),
        (Opened("ada", notes={1, 2}), "notes", "expected a value that reads back equal", "got {1, 2}"),
        (Opened("ada", notes=3j), "notes", "expected what JSON can hold", "got 3j"),
        (Opened("ada", kind="x" * 300), "tags", "expected 1 to 255 printable characters", "got 'kind:xxx"),
        (Opened("ada", kind="a\nb"), "tags", "expected 1 to 255 printable characters", r"got 'kind:a\nb'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_that_cannot_be_stored_is_named_with_what_was_expected_and_found(
    store: EventStore, event: Event, field: str, expected: str, actual: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        store.append("account-1", [Opened("ada"), event])

    assert f"{field}: {expected}" in str(refused.value)
    assert actual in str(refused.value)


def test_an_event_nested_too_deep_is_refused(store: EventStore) -> None:
    with pytest.raises(InvalidEvent, match="Opened: expected values nested at most 100 deep; nothing was stored"):
        store.append("account-1", [Opened("ada", notes=nested(150))])


@pytest.mark.parametrize("given", [{"owner": "ada"}, None, "Opened", Opened])
def test_what_is_no_event_is_refused(store: EventStore, given: object) -> None:
    with pytest.raises(InvalidEvent, match="expected an Event, got"):
        store.append("account-1", [Opened("ada"), given])


def test_an_unknown_field_is_refused_before_there_is_an_event(store: EventStore) -> None:
    with pytest.raises(TypeError, match="colour"):
        store.append("account-1", [Opened("ada", colour="red")])  # type: ignore[call-arg]  # wrong on purpose


def test_an_error_shows_a_line_of_a_large_value_and_not_all_of_it(store: EventStore) -> None:
    with pytest.raises(InvalidEvent, match=r"cents: Expected `int`") as refused:
        store.append("account-1", [Opened("ada", "x" * 500_000)])  # type: ignore[arg-type]  # wrong on purpose

    assert len(str(refused.value)) < 400
    assert "500,002 characters" in str(refused.value)


# -- what travels with it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beside", "expected", "actual"),
    [
        ({"event_id": "7"}, "expected a UUID", "got '7'"),
        ({"occurred_at": "today"}, "expected a datetime with a time zone", "got 'today'"),
        ({"occurred_at": datetime(2024, 1, 1)}, "expected a datetime with a time zone", "got datetime"),  # noqa: DTZ001 - the fault itself
        ({"tags": "red"}, "expected a list of texts", "got 'red'"),
        ({"tags": [LONE_SURROGATE]}, "expected 1 to 255 printable characters", r"got '\ud800'"),
        ({"tags": [""]}, "expected 1 to 255 printable characters", "got ''"),
        ({"correlation_id": ""}, "expected 1 to 255 printable characters", "got ''"),
        ({"causation_id": "a\0"}, "expected 1 to 255 printable characters", r"got 'a\x00'"),
        ({"metadata": []}, "expected a dict of texts to JSON values", "got []"),
        ({"metadata": {1: 2}}, "expected a dict of texts to JSON values", "got {1: 2}"),
        ({"metadata": {"a": NOT_A_NUMBER}}, "expected a finite number", "got nan"),
        ({"metadata": {"a": LONE_SURROGATE}}, "expected text without lone surrogates", "got {"),
        ({"metadata": {"a": "\0"}}, "expected text without NUL", r"got '\x00'"),
        ({"metadata": {"a": 3j}}, "expected what JSON can hold", "got {'a': 3j"),
    ],
    ids=str,
)
def test_what_travels_with_an_event_is_refused_in_the_same_way(
    store: EventStore, beside: dict[str, Any], expected: str, actual: str
) -> None:
    (field,) = beside

    with pytest.raises(InvalidInput) as refused:
        store.append("account-1", [NewEvent(Opened("ada"), **beside)])

    assert f"{field}: {expected}" in str(refused.value)
    assert actual in str(refused.value)


# -- where it is to go ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "expected 1 to 255 characters, got an empty text"),
        ("x" * 256, "expected at most 255 characters, got 256"),
        ("$system", r"'\$system': names that begin with \$ are reserved"),
        ("a\nb", "expected printable characters only"),
        ("a\0b", "expected printable characters only"),
        (LONE_SURROGATE, "expected printable characters only"),
        (5, "expected text, got int"),
        (b"a-1", "expected text, got bytes"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_stream_that_may_not_be_appended_to_refuses_the_whole_append(store: EventStore, name: Any, rule: str) -> None:
    with pytest.raises(InvalidStreamName, match=rule):
        store.append_all([StreamAppend("account-1", [Opened("ada")]), StreamAppend(name, [Opened("ada")])])


@pytest.mark.parametrize("expected", [-1, True, 1.5, "3", None, 2**63])
def test_an_expected_version_that_is_none_refuses_the_append(store: EventStore, expected: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"expected version: expected ANY, .* got {re.escape(repr(expected))}"):
        store.append("account-1", [Opened("ada")], expected=expected)


def test_two_classes_of_one_event_type_are_refused_when_the_store_is_opened() -> None:
    class Unsealed(Event, event_type="Opened"):
        owner: str

    with pytest.raises(DefinitionError, match=r"event type 'Opened' is declared by \S+\.Opened and by \S+Unsealed"):
        open_store("memory://", events=[Opened, Unsealed])


# -- how it is opened ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, -1, "large", None])
def test_a_limit_of_payloads_that_makes_no_sense_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidInput, match=f"max_payload: expected an integer of 1 to .*, got {limit!r}"):
        open_store("memory://", max_payload=limit)


@pytest.mark.parametrize("url", ["sqlite:///unused.db", "postgresql://nobody@nowhere/unused"])
@pytest.mark.parametrize("seconds", [-1, "10", NOT_A_NUMBER, None, 10**9])
def test_a_time_to_wait_that_makes_no_sense_is_refused(url: str, seconds: Any) -> None:
    with pytest.raises(InvalidInput, match=f"busy_seconds: expected seconds, from 0 to 86,400, got {seconds!r}"):
        open_store(url, busy_seconds=seconds)


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("text.txt", StoreError, "SQLite text.txt: file is not a database; point the URL at a SQLite file"),
        (".", StoreUnavailable, "unable to open database file; check that the folder exists"),
        ("missing/log.db", StoreUnavailable, "SQLite log.db: unable to open database file; check that the folder"),
    ],
)
def test_what_is_no_database_is_not_opened_and_not_touched(
    tmp_path: Path, name: str, error: type[StoreError], reason: str
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("dear diary\n" * 1000)

    with pytest.raises(error, match=reason):
        open_store(f"sqlite:///{tmp_path / name}")

    assert text.read_text() == "dear diary\n" * 1000
    assert list(tmp_path.iterdir()) == [text]


def test_a_database_with_somebody_elses_table_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE eventfold_events (mine TEXT)")

        with pytest.raises(StoreError, match=r"eventfold_events already exists.*choose another `prefix`"):
            open_store(f"sqlite:///{path}")

        assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("eventfold_events",)]
    with open_store(f"sqlite:///{path}", events=Opened, prefix="ours_") as store:
        assert store.append("account-1", [Opened("ada")]).position == 1


def test_the_same_on_postgresql(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as theirs:
        theirs.execute("CREATE TABLE eventfold_events (mine TEXT)")

    with pytest.raises(StoreError, match=r'"eventfold_events" already exists.*choose another `prefix` or `schema`'):
        open_store(postgres_url, migrate=True)

    with open_store(postgres_url, events=Opened, migrate=True, prefix="ours_") as store:
        assert store.append("account-1", [Opened("ada")]).position == 1


def test_a_file_without_tables_is_not_opened_where_it_may_not_be_migrated(sqlite_url: str) -> None:
    with pytest.raises(NotMigrated, match=r"migrations are missing \(eventstore/0001_log.*run `eventfold migrate`"):
        open_store(sqlite_url, migrate=False)


def set_ahead(url: str) -> None:
    """As a newer release would leave it."""
    statement = "INSERT INTO eventfold_migrations VALUES ('eventstore', 9000, '9000_future', 'tomorrow')"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            file.execute(statement)
    else:
        with psycopg.connect(url) as server:
            server.execute(statement)


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
@pytest.mark.parametrize("migrate", [True, False])
def test_a_database_that_a_newer_release_has_migrated_is_refused(
    request: pytest.FixtureRequest, database: str, migrate: bool
) -> None:
    url = request.getfixturevalue(database)
    open_store(url, migrate=True).close()
    set_ahead(url)

    with pytest.raises(SchemaTooNew, match=r"eventstore are at migration 9000, and this release knows \d+; upgrade"):
        open_store(url, migrate=migrate)


# -- while it is used ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [0, None])
def test_a_locked_file_is_waited_for_and_then_refused_and_used_again(tmp_path: Path, expected: int | None) -> None:
    path = tmp_path / "log.db"
    wanted: dict[str, Any] = {} if expected is None else {"expected": expected}
    with (
        open_store(f"sqlite:///{path}", events=Opened, busy_seconds=0.05) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreBusy, match=r"held the write lock for too long.*nothing was stored.*`busy_seconds`"):
            store.append("account-1", [Opened("ada")], **wanted)

        assert store.head() == 0  # readers do not wait
        other.execute("ROLLBACK")
        assert store.append("account-1", [Opened("ada")], **wanted).versions == {"account-1": 1}


def test_a_transaction_that_has_read_what_is_no_longer_so_is_refused_as_busy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with open_store(url, events=Opened, busy_seconds=0.05) as store, open_store(url, events=Opened) as other:
        assert store.backend.engine is not None
        with store.backend.engine.connect() as reading:
            reading.exec_driver_sql("SELECT count(*) FROM eventfold_events").fetchall()
            other.append("account-1", [Opened("ada")])

            with pytest.raises(StoreBusy, match="nothing was stored"):
                store.append("account-1", [Opened("bob")], connection=reading)

        assert [each.event.owner for each in store.read_log()] == ["ada"]


def test_no_time_to_wait_does_not_mean_for_ever_on_postgresql(postgres_url: str) -> None:
    with (
        open_store(postgres_url, events=Opened, migrate=True, busy_seconds=0) as store,
        psycopg.connect(postgres_url) as other,
    ):
        other.execute("LOCK TABLE eventfold_events")

        with pytest.raises(StoreBusy, match="nothing was stored"):
            store.append("account-1", [Opened("ada")])

        other.rollback()
        assert store.head() == 0
