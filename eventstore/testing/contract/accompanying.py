"""Companions: what is written in an append's own transaction."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest
from sqlalchemy import Connection

from eventstore.backend import LogFilter, WriteRequest
from eventstore.companion import Stored
from eventstore.errors import Conflict, InvalidInput, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, events
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn


class Diary:
    """A companion that notes what it is told, and keeps a table of it where there is one."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.told: list[int] = []

    def concerns(self, request: WriteRequest) -> bool:
        """Deposits alone."""
        return any("eposited" in row[0] for write in request.writes for row in write.rows)

    def inserts(self, request: WriteRequest) -> None:
        return None

    def types(self, requests: Sequence[WriteRequest]) -> Iterable[str]:
        """The types of these appends."""
        return {row[0] for each in requests for write in each.writes for row in write.rows}

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Notes the positions, as the transaction itself sees them."""
        end = stored[-1].written.position
        seen = {row[6] for row in self._store.backend.log_page_on(connection, LogFilter(), 0, end, 10_000)}
        for each in stored:
            for write in each.request.writes:
                assert {row[2] for row in write.rows} <= seen
                if any('"amount":13' in row[8] for row in write.rows):
                    raise InvalidInput("thirteen is refused")
            self.told.append(each.written.position)
            if connection is not None:
                connection.exec_driver_sql(f"INSERT INTO diary VALUES ({each.written.position})")

    def forget(self, stored: Sequence[Stored]) -> None:
        """Strikes out the positions again."""
        for each in stored:
            self.told.remove(each.written.position)


class Accompanying(StoreCases):
    """The events and what companions write are stored together, or neither is.

    Left out where a backend says `accompanies = False`.
    """

    needs = "accompanies"

    @pytest.fixture
    def diary(self, store: EventStore) -> Diary:
        """A companion of the store, whose table is empty."""
        if store.backend.engine is not None:
            with store.backend.engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE IF EXISTS diary")
                connection.exec_driver_sql("CREATE TABLE diary (position INTEGER)")
        diary = Diary(store)
        store.accompany(diary)
        return diary

    def test_a_companion_is_told_of_each_append_that_concerns_it_and_of_no_other(
        self, store: EventStore, diary: Diary
    ) -> None:
        one = store.append("account-1", [Deposited(1), Withdrawn(1)], expected=NO_STREAM)
        store.append("account-1", [Withdrawn(1)])
        tagged = NewEvent(Deposited(2), tags=["red"])
        two = store.append("account-2", [tagged], condition=AppendCondition(Query.of(tags=["red"])))
        three = store.append_all([StreamAppend("account-3", [Deposited(3)]), StreamAppend("account-4", [Withdrawn(1)])])

        assert diary.told == [one.position, two.position, three.position]
        assert _rows(store) in {None, tuple(diary.told)}

    def test_an_append_that_a_companion_refuses_leaves_nothing_behind(self, store: EventStore, diary: Diary) -> None:
        store.append("account-1", [Deposited(1)])

        with pytest.raises(InvalidInput, match="thirteen"):
            store.append("account-1", [NewEvent(Deposited(13), tags=["red"])])

        assert events(store.read_log()) == [Deposited(1)]
        assert _rows(store) in {None, tuple(diary.told)}
        store.append("account-1", [Deposited(2)], expected=1, condition=AppendCondition(Query.of(tags=["red"])))
        assert store.stream_version("account-1") == 2

    def test_among_many_at_once_only_those_fail_that_are_refused(self, store: EventStore, diary: Diary) -> None:
        amounts = [13 if n % 7 == 3 else n for n in range(40)]

        async def append_all() -> list[object]:
            appends = [store.append_async(f"account-{n % 5}", [Deposited(each)]) for n, each in enumerate(amounts)]
            return list(await asyncio.gather(*appends, return_exceptions=True))

        outcomes = asyncio.run(append_all())

        assert [isinstance(each, InvalidInput) for each in outcomes] == [each == 13 for each in amounts]
        kept = [each for each in amounts if each != 13]
        assert sorted(each.amount for each in events(store.read_log())) == sorted(kept)
        assert _rows(store) is None or len(_rows(store) or ()) == len(kept)
        assert set(diary.told) >= {each.position for each in store.read_log()}

    def test_an_append_that_the_log_refuses_is_not_told(self, store: EventStore, diary: Diary) -> None:
        store.append("account-1", [Deposited(1)])

        with pytest.raises(WrongExpectedVersion):
            store.append("account-1", [Deposited(2)], expected=NO_STREAM)
        with pytest.raises(Conflict):
            store.append("account-1", [Deposited(2)], condition=AppendCondition(Query.of(Deposited)))

        assert len(diary.told) == 1

    def test_an_append_that_is_repeated_is_told_once(self, store: EventStore, diary: Diary) -> None:
        event = NewEvent(Deposited(1), event_id="01936b7e-0000-7000-8000-000000000001")

        assert store.append("account-1", [event]) == store.append("account-1", [event])

        assert len(diary.told) == 1


def _rows(store: EventStore) -> tuple[int, ...] | None:
    """What is in the companion's table; None where there is no database for one."""
    if store.backend.engine is None:
        return None
    with store.backend.engine.connect() as connection:
        return tuple(connection.exec_driver_sql("SELECT position FROM diary ORDER BY position").scalars())
