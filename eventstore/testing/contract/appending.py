"""Appending: all of it in order, or nothing."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from eventstore.errors import InvalidInput, NotFound, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, events, positions
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn

UUID_VERSION = 7


class Appending(StoreCases):
    """What an append stores, and what it returns."""

    def test_an_empty_log_holds_nothing(self, store: EventStore) -> None:
        assert store.head() == 0
        assert store.backend.count() == 0
        assert list(store.read_log()) == []
        assert list(store.read_stream("account-1")) == []
        assert store.stream_version("account-1") == 0

    def test_the_first_event_of_a_stream_has_version_1(self, store: EventStore) -> None:
        appended = store.append("account-1", [Deposited(5)])

        assert appended.versions == {"account-1": 1}
        assert store.stream_version("account-1") == 1
        assert [each.version for each in store.read_stream("account-1")] == [1]

    def test_the_events_of_one_append_follow_each_other_without_gaps(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(0)])

        appended = store.append("account-1", [Deposited(n) for n in range(1, 6)])

        found = list(store.read_stream("account-1"))
        assert [each.version for each in found] == [1, 2, 3, 4, 5, 6]
        assert events(found) == [Deposited(n) for n in range(6)]
        assert appended.versions == {"account-1": 6}
        assert appended.position == found[-1].position

    def test_each_stream_counts_its_own_versions(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1), Deposited(2)])

        appended = store.append("account-2", [Deposited(3)])

        assert appended.versions == {"account-2": 1}
        assert store.stream_version("account-1") == 2

    def test_positions_ascend_over_all_streams(self, store: EventStore) -> None:
        results = [store.append(f"account-{n % 3}", [Deposited(n), Withdrawn(n)]) for n in range(6)]

        found = positions(store.read_log())
        assert found == sorted(set(found))
        assert [each.position for each in results] == found[1::2]
        assert store.head() == found[-1]
        assert store.backend.count() == len(found)

    def test_the_position_returned_is_that_of_the_last_event(self, store: EventStore) -> None:
        appended = store.append_all(
            [StreamAppend("account-1", [Deposited(1), Deposited(2)]), StreamAppend("account-2", [Deposited(3)])]
        )

        assert appended.position == max(positions(store.read_log())) == store.head()

    def test_several_streams_are_appended_to_at_once(self, store: EventStore) -> None:
        store.append("account-2", [Deposited(1)])

        appended = store.append_all(
            [
                StreamAppend("account-1", [Withdrawn(7), Withdrawn(8)], NO_STREAM),
                StreamAppend("account-2", [Deposited(7)], 1),
                StreamAppend("account-3", [Deposited(8)]),
            ]
        )

        assert appended.versions == {"account-1": 2, "account-2": 2, "account-3": 1}
        written = [(each.stream, each.version) for each in store.read_log()][1:]
        assert written == [("account-1", 1), ("account-1", 2), ("account-2", 2), ("account-3", 1)]

    def test_a_refusal_by_the_last_stream_leaves_nothing_in_the_others(self, store: EventStore) -> None:
        store.append("account-3", [Deposited(1)])
        before = store.head()

        with pytest.raises(WrongExpectedVersion, match="account-3"):
            store.append_all(
                [
                    StreamAppend("account-1", [Deposited(2)]),
                    StreamAppend("account-2", [Deposited(3)]),
                    StreamAppend("account-3", [Deposited(4)], NO_STREAM),
                ]
            )

        assert store.head() == before
        assert store.stream_version("account-1") == store.stream_version("account-2") == 0

    def test_after_a_refusal_the_next_append_goes_on_without_a_gap_in_versions(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1)])
        with pytest.raises(WrongExpectedVersion):
            store.append("account-1", [Deposited(2), Deposited(3)], expected=5)

        store.append("account-1", [Deposited(4)], expected=1)

        assert [(each.version, each.event) for each in store.read_stream("account-1")] == [
            (1, Deposited(1)),
            (2, Deposited(4)),
        ]

    def test_one_stream_named_twice_is_refused(self, store: EventStore) -> None:
        with pytest.raises(InvalidInput, match="each stream once"):
            store.append_all([StreamAppend("account-1", [Deposited(1)]), StreamAppend("account-1", [Deposited(2)])])

        assert store.head() == 0

    def test_no_events_are_refused(self, store: EventStore) -> None:
        with pytest.raises(InvalidInput, match="at least one event"):
            store.append("account-1", [])

        assert store.head() == 0

    def test_event_ids_are_uuids_of_version_7_in_the_order_given(self, store: EventStore) -> None:
        appended = store.append("account-1", [Deposited(n) for n in range(20)])

        found = [each.event_id for each in store.read_stream("account-1")]
        assert list(appended.event_ids) == found
        assert {uuid.UUID(each).version for each in found} == {UUID_VERSION}

    def test_event_ids_of_one_append_ascend(self, store: EventStore) -> None:
        appended = store.append("account-1", [Deposited(n) for n in range(200)])

        assert list(appended.event_ids) == sorted(set(appended.event_ids))

    def test_an_event_is_found_by_its_id(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1)])
        appended = store.append("account-2", [Deposited(2), Deposited(3)])

        found = store.event(appended.event_ids[1])

        assert (found.stream, found.version, found.event) == ("account-2", 2, Deposited(3))

    def test_an_event_is_found_by_its_id_however_it_is_written(self, store: EventStore) -> None:
        own = uuid.uuid4()
        store.append("account-1", [NewEvent(Deposited(1), event_id=own)])

        assert store.event(str(own).upper()).event == Deposited(1)
        assert store.event(own.hex).event_id == str(own)

    def test_an_id_that_no_event_has_is_not_found(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1)])

        with pytest.raises(NotFound, match="no event has the id"):
            store.event(str(uuid.uuid4()))

    def test_the_store_records_when_an_event_came_in(self, store: EventStore) -> None:
        before = datetime.now(UTC)
        store.append("account-1", [Deposited(1)])
        after = datetime.now(UTC)

        (found,) = store.read_stream("account-1")
        slack = timedelta(minutes=5)  # a server has a clock of its own
        assert before - slack <= found.recorded_at <= after + slack

    def test_recorded_instants_never_fall_along_the_log(self, store: EventStore) -> None:
        for n in range(30):
            store.append(f"account-{n % 4}", [Deposited(n)])

        found = [each.recorded_us for each in store.read_log()]
        assert found == sorted(found)

    def test_plain_and_wrapped_events_of_one_append_keep_their_order(self, store: EventStore) -> None:
        own = uuid.uuid4()

        appended = store.append("account-1", [Deposited(1), NewEvent(Deposited(2), event_id=own), Deposited(3)])

        assert events(store.read_stream("account-1")) == [Deposited(1), Deposited(2), Deposited(3)]
        assert appended.event_ids[1] == str(own)
