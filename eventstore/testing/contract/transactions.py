"""Appending in a transaction that the caller has open: it commits or rolls back with everything else in it."""

import threading
import uuid

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from eventstore.errors import AppendConditionFailed, DuplicateEventId, InvalidInput, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.subscription import subscribe
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, events
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn


class Transactions(StoreCases):
    """Left out where a backend says `joins_transactions = False`."""

    needs = "joins_transactions"

    @pytest.fixture
    def engine(self, store: EventStore) -> Engine:
        """The store's own engine, with a table of the user's."""
        engine = store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS notes")
            connection.exec_driver_sql("CREATE TABLE notes (text VARCHAR(100))")
        return engine

    def test_an_append_is_committed_with_the_callers_own_rows(self, store: EventStore, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('one')")
            appended = store.append("account-1", [Deposited(1), Deposited(2)], connection=connection)

        assert appended.versions == {"account-1": 2}
        assert store.head() == appended.position
        assert [each.event_id for each in store.read_log()] == list(appended.event_ids)
        assert _notes(engine) == ["one"]

    def test_an_append_is_rolled_back_with_the_callers_own_rows(self, store: EventStore, engine: Engine) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('one')")
            store.append("account-1", [NewEvent(Deposited(1), tags=["red"])], connection=connection)
            connection.rollback()

        assert _notes(engine) == []
        assert store.stream_version("account-1") == 0
        store.append("account-1", [Deposited(2)], expected=NO_STREAM, condition=AppendCondition(Query.of(tags=["red"])))
        assert events(store.read_log()) == [Deposited(2)]

    def test_an_append_begins_the_transaction_of_a_connection_that_has_none(
        self, store: EventStore, engine: Engine
    ) -> None:
        with engine.connect() as connection:
            store.append("account-1", [Deposited(1)], connection=connection)
            connection.commit()
            store.append("account-1", [Deposited(2)], connection=connection)
            connection.rollback()
            store.append("account-1", [Deposited(3)], connection=connection)
            connection.commit()

        assert events(store.read_log()) == [Deposited(1), Deposited(3)]

    def test_nobody_sees_an_append_before_the_commit(self, store: EventStore, engine: Engine) -> None:
        store.append("account-1", [Deposited(1)])
        head = store.head()

        with engine.begin() as connection, subscribe(store, after=head) as subscription:
            store.append("account-1", [Deposited(2)], connection=connection)
            assert store.head() == head
            assert events(store.read_log()) == events(store.read_stream("account-1")) == [Deposited(1)]
            assert subscription.poll(0) is None

        assert events(store.read_log()) == [Deposited(1), Deposited(2)]

    def test_appends_of_one_transaction_see_each_other(self, store: EventStore, engine: Engine) -> None:
        with engine.begin() as connection:
            store.append("account-1", [Deposited(1)], expected=NO_STREAM, connection=connection)
            store.append("account-1", [Deposited(2)], expected=1, connection=connection)
            with pytest.raises(WrongExpectedVersion):
                store.append("account-1", [Deposited(3)], expected=1, connection=connection)

        assert [each.version for each in store.read_stream("account-1")] == [1, 2]

    def test_a_refused_append_leaves_the_transaction_usable(self, store: EventStore, engine: Engine) -> None:
        store.append("account-1", [Deposited(1)])

        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('before')")
            with pytest.raises(WrongExpectedVersion):
                store.append("account-1", [Deposited(2)], expected=NO_STREAM, connection=connection)
            condition = AppendCondition(Query.of(Deposited))
            with pytest.raises(AppendConditionFailed):
                store.append("account-1", [Deposited(2)], condition=condition, connection=connection)
            with pytest.raises(InvalidInput):
                store.append("", [Deposited(2)], connection=connection)
            connection.exec_driver_sql("INSERT INTO notes VALUES ('after')")
            store.append("account-1", [Withdrawn(1)], expected=1, connection=connection)

        assert _notes(engine) == ["after", "before"]
        assert events(store.read_log()) == [Deposited(1), Withdrawn(1)]

    def test_several_streams_are_appended_to_in_one_transaction(self, store: EventStore, engine: Engine) -> None:
        with engine.begin() as connection:
            appends = [StreamAppend("account-1", [Deposited(1)]), StreamAppend("account-2", [Deposited(2)])]
            appended = store.append_all(appends, connection=connection)

        assert appended.versions == {"account-1": 1, "account-2": 1}
        assert events(store.read_log()) == [Deposited(1), Deposited(2)]

    def test_an_append_is_repeated_in_another_transaction(self, store: EventStore, engine: Engine) -> None:
        batch = [NewEvent(Deposited(1), event_id=uuid.UUID(int=5))]
        with engine.begin() as connection:
            first = store.append("account-1", batch, connection=connection)

        with engine.begin() as connection:
            assert store.append("account-1", batch, connection=connection) == first
            with pytest.raises(DuplicateEventId):
                store.append("account-2", batch, connection=connection)

        assert store.backend.count() == 1

    def test_a_session_commits_and_rolls_back_as_a_connection_does(self, store: EventStore, engine: Engine) -> None:
        with Session(engine) as session:
            store.append("account-1", [Deposited(1)], connection=session)
            session.commit()
        with Session(engine) as session:
            store.append("account-1", [Deposited(2)], connection=session)
            session.rollback()

        assert events(store.read_log()) == [Deposited(1)]

    def test_a_scoped_session_is_a_session(self, store: EventStore, engine: Engine) -> None:
        session = scoped_session(sessionmaker(engine))

        store.append("account-1", [Deposited(1)], connection=session)
        session.commit()
        session.remove()

        assert events(store.read_log()) == [Deposited(1)]

    def test_listeners_are_woken_after_the_commit_and_not_before(self, store: EventStore, engine: Engine) -> None:
        rung = threading.Event()
        seen: list[int] = []

        def wake() -> None:
            seen.append(store.head())
            rung.set()

        store.signal.add(wake)

        with engine.connect() as connection:
            appended = store.append("account-1", [Deposited(1)], connection=connection)
            assert seen == []
            connection.commit()

        assert rung.wait(PATIENCE_SECONDS)
        assert seen[0] == appended.position

    def test_a_subscription_that_waits_is_woken_by_the_commit_of_a_session(
        self, store: EventStore, engine: Engine
    ) -> None:
        with subscribe(store) as subscription:
            with Session(engine) as session:
                store.append("account-1", [Deposited(1)], connection=session)
                session.commit()
            batch = subscription.poll(PATIENCE_SECONDS)

        assert batch is not None
        assert events(batch.events) == [Deposited(1)]

    @pytest.mark.parametrize("wrong", ["text", 5, object()], ids=["text", "number", "object"])
    def test_what_is_no_connection_is_refused(self, store: EventStore, wrong: object) -> None:
        with pytest.raises(InvalidInput, match=r"connection: expected .*Connection"):
            store.append("account-1", [Deposited(1)], connection=wrong)  # type: ignore[arg-type]  # wrong on purpose

        assert store.head() == 0


def _notes(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT text FROM notes ORDER BY text")]
