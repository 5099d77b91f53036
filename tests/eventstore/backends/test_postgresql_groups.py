"""Appends that share a transaction: each gets its own result or its own error, and loses only its own races."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import create_engine

from eventstore import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    AppendCondition,
    AppendConditionFailed,
    ExpectedVersion,
    NewEvent,
    Query,
    StoreBusy,
    StoreError,
    StreamAppend,
    Unsupported,
    WrongExpectedVersion,
)
from eventstore.backend import WriteRequest, Written
from eventstore.preparation import prepare
from tests.eventstore.backends.postgresql import Ticked, begun, connected, in_flight, opened, until, waits_for_a_lock


def ask(
    stream: str, count: int = 1, expected: ExpectedVersion = ANY, condition: AppendCondition | None = None
) -> WriteRequest:
    return prepare([StreamAppend(stream, [Ticked(n) for n in range(count)], expected)], condition, max_payload=1000)


def tagged(stream: str, *tags: str, condition: AppendCondition | None = None) -> WriteRequest:
    return prepare([StreamAppend(stream, [NewEvent(Ticked(1), tags=tags)])], condition, max_payload=1000)


def versions(outcomes: list[Written | Exception]) -> list[object]:
    """The version each request reached, or for a refused one the version that it was told."""
    return [
        next(iter(each.versions.values())) if isinstance(each, Written) else ("refused", getattr(each, "actual", None))
        for each in outcomes
    ]


def transactions(url: str) -> int:
    """How many transactions wrote the events of the log."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(DISTINCT xmin::text) FROM eventfold_events").fetchone()
    assert found is not None
    return int(found[0])


def test_a_group_is_one_transaction(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        several = prepare([StreamAppend("z-1", [Ticked(1)]), StreamAppend("a-1", [Ticked(2)])], None, max_payload=99)
        requests = [ask("b-1"), several, ask("c-1", 5), tagged("d-1", "x"), ask("b-1", 2), ask("e-1", 1, NO_STREAM)]

        store.backend.commit(requests)

        assert transactions(postgres_url) == 1


def test_several_appends_to_one_stream_follow_each_other_in_one_group(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        outcomes = store.backend.commit([ask("a-1", 2, 0), ask("a-1", 3, 2), ask("a-1"), ask("a-1", 1, STREAM_EXISTS)])

        assert versions(outcomes) == [2, 5, 6, 7]
        assert [each.version for each in store.read_stream("a-1")] == list(range(1, 8))


def test_of_several_that_expect_the_same_version_one_is_stored_and_the_others_are_told(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [Ticked(1)])

        outcomes = store.backend.commit([ask("a-1", 1, 1), ask("a-1", 1, 1), ask("b-1"), ask("a-1", 2, 1)])

        assert versions(outcomes) == [2, ("refused", 2), 1, ("refused", 2)]


def test_a_refused_append_does_not_take_those_behind_it_along(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        outcomes = store.backend.commit(
            [ask("a-1", 1, 7), ask("a-1"), ask("a-1", 1, 8), ask("b-1", 1, STREAM_EXISTS), ask("b-1", 1, NO_STREAM)]
        )

        assert versions(outcomes) == [("refused", 0), 1, ("refused", 1), ("refused", 0), 1]
        assert store.backend.count() == 2


def test_an_append_to_several_streams_keeps_the_order_of_its_streams(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        several = prepare(
            [StreamAppend("z-1", [Ticked(1), Ticked(2)]), StreamAppend("a-1", [NewEvent(Ticked(3), tags=["last"])])],
            None,
            max_payload=1000,
        )
        _, outcome, _ = store.backend.commit([ask("b-1", 3), several, ask("zz-1")])

        found = [each for each in store.read_log() if each.stream in {"z-1", "a-1"}]
        assert [each.event for each in found] == [Ticked(1), Ticked(2), Ticked(3)]
        assert outcome == Written(found[-1].position, {"a-1": 1, "z-1": 2})
        assert [each.event for each in store.read_log(tags=["last"])] == [Ticked(3)]


def test_a_condition_holds_against_what_the_same_group_writes(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        unique = AppendCondition(Query.of(Ticked, tags=["name:ada"]))

        outcomes = store.backend.commit(
            [tagged(f"a-{n}", "name:ada", condition=unique) for n in range(3)] + [tagged("b-1", "name:bob")]
        )

        assert [type(each) for each in outcomes] == [Written, AppendConditionFailed, AppendConditionFailed, Written]


def test_an_append_that_is_repeated_beside_others_is_stored_once(postgres_url: str) -> None:
    event_id = uuid4()

    def once() -> WriteRequest:
        return prepare([StreamAppend("a-1", [NewEvent(Ticked(1), event_id=event_id)])], None, max_payload=1000)

    with opened(postgres_url) as store:
        first, other, second = store.backend.commit([once(), ask("b-1"), once()])
        third, another = store.backend.commit([once(), ask("b-1")])

        assert first == second == third
        assert isinstance(other, Written)
        assert isinstance(another, Written)
        assert store.backend.count() == 3


def test_only_the_loser_of_a_race_with_another_transaction_is_refused(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with in_flight(store, "a-1") as winner:
            group = pool.submit(store.backend.commit, [ask("b-1"), ask("a-1", 1, 0), ask("c-1", 2)])
            until(lambda: waits_for_a_lock(postgres_url))
            winner.commit()

        assert versions(group.result()) == [1, ("refused", 1), 2]
        assert transactions(postgres_url) == 2


@pytest.mark.parametrize("expected", [ANY, STREAM_EXISTS])
def test_who_takes_any_version_is_stored_behind_the_winner(postgres_url: str, expected: ExpectedVersion) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        store.append("a-1", [Ticked(0)])
        with in_flight(store, "a-1") as winner:
            loser = pool.submit(store.append, "a-1", [Ticked(1)], expected=expected)
            until(lambda: waits_for_a_lock(postgres_url))
            winner.commit()

        assert loser.result().versions == {"a-1": 3}


def test_a_winner_that_rolls_back_lets_the_other_pass(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with in_flight(store, "a-1") as undecided:
            other = pool.submit(store.append, "a-1", [Ticked(1)], expected=NO_STREAM)
            until(lambda: waits_for_a_lock(postgres_url))
            undecided.rollback()

        assert other.result().versions == {"a-1": 1}


def test_waiting_for_another_transaction_ends_after_busy_seconds(postgres_url: str) -> None:
    with opened(postgres_url, busy_seconds=0.2) as store:
        with in_flight(store, "a-1"), pytest.raises(StoreBusy, match="busy_seconds"):
            store.append("a-1", [Ticked(1)])

        assert store.append("a-1", [Ticked(1)]).versions == {"a-1": 1}


def test_a_refusal_leaves_the_callers_transaction_usable(postgres_url: str) -> None:
    with opened(postgres_url) as store, connected(store) as connection:
        connection.exec_driver_sql("CREATE TABLE mine (n int)")
        store.append("a-1", [Ticked(1)], connection=connection)
        with pytest.raises(WrongExpectedVersion):
            store.append("a-1", [Ticked(2), Ticked(3)], expected=7, connection=connection)
        connection.exec_driver_sql("INSERT INTO mine VALUES (1)")
        store.append("a-1", [Ticked(4)], expected=1, connection=connection)
        connection.commit()

        assert [each.event for each in store.read_stream("a-1")] == [Ticked(1), Ticked(4)]
        assert connection.exec_driver_sql("SELECT n FROM mine").all() == [(1,)]


def test_a_lost_race_leaves_the_callers_transaction_usable(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:

        def lose() -> int:
            with begun(store) as connection:
                connection.exec_driver_sql("CREATE TABLE mine (n int)")
                with pytest.raises(WrongExpectedVersion):
                    store.append("a-1", [Ticked(2)], expected=0, connection=connection)
                store.append("b-1", [Ticked(3)], connection=connection)
            return store.stream_version("b-1")

        with in_flight(store, "a-1") as winner:
            loser = pool.submit(lose)
            until(lambda: waits_for_a_lock(postgres_url))
            winner.commit()

        assert loser.result() == 1


def test_the_caller_may_bring_an_engine_of_his_own(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    with opened(postgres_url) as store:
        with engine.begin() as connection:
            store.append("a-1", [Ticked(1)], connection=connection)
            assert store.stream_version("a-1") == 0
        assert store.stream_version("a-1") == 1
    engine.dispose()


def test_a_connection_in_autocommit_has_no_transaction_to_append_in(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with (
        opened(postgres_url) as store,
        engine.connect() as connection,
        pytest.raises(Unsupported, match="transaction block"),
    ):
        store.append("a-1", [Ticked(1)], connection=connection)
    engine.dispose()


def test_a_condition_is_refused_where_the_transaction_sees_only_the_past(postgres_url: str) -> None:
    engine = create_engine(
        postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="REPEATABLE READ"
    )
    condition = AppendCondition(Query.of(Ticked, tags=["x"]))
    with opened(postgres_url) as store:
        with engine.connect() as connection, pytest.raises(Unsupported, match="READ COMMITTED"):
            store.append("a-1", [Ticked(1)], condition=condition, connection=connection)
        guarded = [StreamAppend("a-1", [Ticked(1)]), StreamAppend("b-1", [], 0)]
        with engine.connect() as connection, pytest.raises(Unsupported, match="READ COMMITTED"):
            store.append_all(guarded, connection=connection)
        with engine.begin() as connection:
            store.append("a-1", [Ticked(1)], connection=connection)
        assert store.stream_version("a-1") == 1
    engine.dispose()


def test_many_threads_on_several_stores_fill_streams_without_gaps(postgres_url: str) -> None:
    with opened(postgres_url) as one, opened(postgres_url) as other:
        begin = threading.Barrier(8)

        def write(n: int) -> None:
            begin.wait()
            for i in range(40):
                (one, other)[n % 2].append(f"a-{i % 3}", [Ticked(n)] * (1 + i % 2))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))

        for n in range(3):
            found = [each.version for each in one.read_stream(f"a-{n}")]
            assert found == list(range(1, len(found) + 1))
        assert one.backend.count() == 8 * 60


@pytest.mark.parametrize("expected", [ANY, NO_STREAM])
def test_a_transaction_with_an_old_snapshot_is_told_so_at_once(postgres_url: str, expected: ExpectedVersion) -> None:
    engine = create_engine(
        postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="REPEATABLE READ"
    )
    with opened(postgres_url) as store, engine.begin() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM eventfold_events")
        store.append("a-1", [Ticked(1)])

        with pytest.raises(StoreBusy, match="REPEATABLE READ took its snapshot; nothing was stored"):
            store.append("a-1", [Ticked(2)], expected=expected, connection=connection)

        assert connection.exec_driver_sql("SELECT count(*) FROM eventfold_events").scalar_one() == 0
    engine.dispose()


def test_an_append_in_a_transaction_that_only_reads_says_so(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    with opened(postgres_url) as store, engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")

        with pytest.raises(StoreError, match="read-only transaction; nothing was stored"):
            store.append("a-1", [Ticked(2)], connection=connection)
    engine.dispose()
