"""What the tables hold and refuse, and how they come to be."""

import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from eventstore import InvalidInput, NotMigrated, StreamAppend, open_store
from eventstore.backend import WriteRequest
from eventstore.identifier import new_id
from eventstore.preparation import prepare
from tests.eventstore.backends.postgresql import Ticked, in_flight, opened


def run_sql(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("table", ["eventfold_events", "eventfold_event_tags"])
@pytest.mark.parametrize("change", ["UPDATE {} SET type = 'x'", "DELETE FROM {}", "TRUNCATE {}", "TRUNCATE {} CASCADE"])
def test_the_log_is_append_only(postgres_url: str, table: str, change: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(1)])

        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=r"append-only: .* is refused"):
            run_sql(postgres_url, change.format(table))

        assert [each.event for each in store.read_log()] == [Ticked(1)]


def test_the_view_shows_instants_that_people_can_read(postgres_url: str) -> None:
    before = datetime.now(UTC)
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(1)])

    ((position, payload, recorded_at),) = run_sql(
        postgres_url, "SELECT position, payload, recorded_at FROM eventfold_log"
    )
    assert (position, payload) == (1, '{"n":1}')
    assert isinstance(recorded_at, datetime)
    assert abs((recorded_at - before).total_seconds()) < 3600


def test_names_are_ordered_by_their_bytes(postgres_url: str) -> None:
    names = ["Zoo-1", "a", "a-", "a-1", "a-Z", "a-é", "a.b-1", "a!-1", "aa-1", "b-1", "ä-1"]
    with opened(postgres_url) as store:
        store.append_all([StreamAppend(name, [Ticked(1)]) for name in names])

        assert [each.stream for each in store.streams()] == sorted(names, key=str.encode)
        assert [each.stream for each in store.streams(category="a")] == ["a", "a-", "a-1", "a-Z", "a-é"]
        assert {each.stream for each in store.read_log(category="a")} == {"a", "a-", "a-1", "a-Z", "a-é"}


def test_the_listing_goes_on_after_a_page_of_other_streams(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append_all([StreamAppend(f"a!{n:03}", [Ticked(1)]) for n in range(50)])
        store.append("a-1", [Ticked(1), Ticked(2)])

        (found,) = store.streams(category="a", limit=1)

        assert (found.stream, found.version, found.last_position) == ("a-1", 2, 52)


def test_positions_without_events_are_not_counted(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        with in_flight(store, "a-1") as connection:
            connection.rollback()
        store.append("a-1", [Ticked(1)])

        assert store.head() == 2
        assert store.backend.count() == 1


def test_the_first_event_after_an_instant_is_found_although_clocks_and_positions_disagree(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(n) for n in range(1, 101)])
        order = [n * 10 for n in range(1, 101)]
        for i in range(20, 80, 4):
            order[i], order[i + 2] = order[i + 2], order[i]  # drawn in one order, recorded in the other
        run_sql(postgres_url, "ALTER TABLE eventfold_events DISABLE TRIGGER USER")
        for position, recorded in enumerate(order, start=1):
            run_sql(postgres_url, f"UPDATE eventfold_events SET recorded_at = {recorded} WHERE position = {position}")

        for instant in range(0, 1010, 5):
            lowest = next((i for i, recorded in enumerate(order, start=1) if recorded > instant), 101)
            assert store.backend.first_recorded_after(instant) == lowest


def test_an_instant_after_the_last_event_is_followed_by_the_next_position(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        assert store.backend.first_recorded_after(0) == 1
        store.append("a-1", [Ticked(1)])
        with in_flight(store, "a-2"):
            assert store.backend.first_recorded_after(2**62) == 2


@pytest.mark.parametrize("options", [{"schema": "user"}, {"schema": "bank", "prefix": ""}, {"prefix": "order"}])
def test_tables_live_under_the_names_that_were_asked_for(postgres_url: str, options: dict[str, str]) -> None:
    with opened(postgres_url, **options) as store:
        store.append("a-1", [Ticked(1)])
        assert [each.position for each in store.read_log()] == [1]

    schema, prefix = options.get("schema", "public"), options.get("prefix", "eventfold_")
    assert run_sql(postgres_url, f'SELECT count(*) FROM "{schema}".{prefix}events') == [(1,)]


def test_a_database_without_tables_is_not_opened(postgres_url: str) -> None:
    with pytest.raises(NotMigrated, match="eventfold migrate"):
        open_store(postgres_url)


def test_processes_that_migrate_at_once_make_the_tables_once(postgres_url: str) -> None:
    program = (
        "import sys; from eventstore import open_store\n"
        "store = open_store(sys.argv[1], migrate=True, schema='fresh')\n"
        "print(store.head())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, postgres_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [process.communicate() for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], said
    applied = run_sql(postgres_url, "SELECT room, number FROM fresh.eventfold_migrations ORDER BY number")
    assert applied == [("eventstore", number) for number in range(1, len(applied) + 1)]


@pytest.mark.parametrize("size", [0, -1, True, "8"])
def test_a_pool_that_makes_no_sense_is_refused(postgres_url: str, size: object) -> None:
    with pytest.raises(InvalidInput, match="pool_size"):
        open_store(postgres_url, pool_size=size)


def test_text_with_a_separator_of_columns_is_refused_and_harms_nobody_else(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        requests = _requests(["a-1", "a-\x1e", "a-2"])

        outcomes = store.backend.commit(requests)

        assert isinstance(outcomes[1], InvalidInput)
        assert [each.stream for each in store.streams()] == ["a-1", "a-2"]


def _requests(names: list[str]) -> list[WriteRequest]:
    """Requests with names that have not been looked at."""
    prepared = prepare([StreamAppend("x-1", [Ticked(1), Ticked(2)])], None, max_payload=1000)
    (write,) = prepared.writes
    renamed = [[(*row[:2], new_id(), *row[3:]) for row in write.rows] for _ in names]
    return [
        WriteRequest([msgspec.structs.replace(write, stream=name, rows=rows)])
        for name, rows in zip(names, renamed, strict=True)
    ]
