"""Repeating an append with the same event ids: the first result again, or a refusal."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore.errors import DuplicateEventId
from eventstore.expected import NO_STREAM
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, events
from eventstore.testing.contract.vocabulary import Deposited, Team, Withdrawn

ID_1, ID_2, ID_3 = (str(uuid.UUID(int=n, version=4)) for n in (1, 2, 3))


class Repetition(StoreCases):
    """A caller who doesn't know whether his append arrived sends it again."""

    def test_a_repeated_append_returns_the_first_result_and_stores_nothing(self, store: EventStore) -> None:
        batch = _with_ids([Deposited(1), Deposited(2)])
        first = store.append("account-1", batch)
        store.append("account-1", [Withdrawn(9)])
        head = store.head()

        again = store.append("account-1", batch)

        assert again == first
        assert store.head() == head
        assert store.stream_version("account-1") == 3

    def test_a_repetition_is_recognised_before_the_expected_version_is_checked(self, store: EventStore) -> None:
        batch = _with_ids([Deposited(1)])
        first = store.append("account-1", batch, expected=NO_STREAM)

        assert store.append("account-1", batch, expected=NO_STREAM) == first

    def test_a_repetition_is_recognised_before_the_condition_is_checked(self, store: EventStore) -> None:
        batch = _with_ids([Deposited(1)])
        condition = AppendCondition(Query.of(Deposited))
        first = store.append("account-1", batch, condition=condition)

        assert store.append("account-1", batch, condition=condition) == first

    def test_an_append_over_several_streams_can_be_repeated(self, store: EventStore) -> None:
        store.append("account-2", [Deposited(0)])
        appends = [
            StreamAppend("account-1", _with_ids([Deposited(1), Deposited(2)])),
            StreamAppend("account-2", [NewEvent(Deposited(3), event_id=ID_3)]),
        ]
        first = store.append_all(appends)

        assert store.append_all(appends) == first
        assert first.versions == {"account-1": 2, "account-2": 2}
        assert store.backend.count() == 4

    def test_a_repetition_may_write_the_ids_differently(self, store: EventStore) -> None:
        first = store.append("account-1", [NewEvent(Deposited(1), event_id=ID_1)])

        again = store.append("account-1", [NewEvent(Deposited(1), event_id=uuid.UUID(ID_1))])

        assert again == first

    def test_everything_that_travels_with_an_event_may_be_repeated(self, store: EventStore) -> None:
        batch = [
            NewEvent(
                Team(("s-1", "s-2")),
                event_id=ID_1,
                occurred_at=datetime(2020, 1, 2, tzinfo=UTC),
                tags=["a", "b"],
                metadata={"by": "ada"},
                correlation_id="c-1",
                causation_id="c-2",
            )
        ]

        assert store.append("team-1", batch) == store.append("team-1", batch)
        assert store.stream_version("team-1") == 1

    @pytest.mark.parametrize(
        ("stream", "event"),
        [
            ("account-1", NewEvent(Deposited(2), event_id=ID_1)),
            ("account-1", NewEvent(Withdrawn(1), event_id=ID_1)),
            ("account-2", NewEvent(Deposited(1), event_id=ID_1)),
            ("account-1", NewEvent(Deposited(1), event_id=ID_1, tags=["new"])),
            ("account-1", NewEvent(Deposited(1), event_id=ID_1, occurred_at=datetime(2020, 1, 2, tzinfo=UTC))),
        ],
        ids=["other fields", "other type", "other stream", "other tags", "other instant"],
    )
    def test_an_id_with_other_content_is_refused(self, store: EventStore, stream: str, event: NewEvent[Any]) -> None:
        store.append("account-1", [NewEvent(Deposited(1), event_id=ID_1)])

        with pytest.raises(DuplicateEventId, match=ID_1) as refused:
            store.append(stream, [event])

        assert refused.value.event_id == ID_1
        assert store.backend.count() == 1

    @pytest.mark.parametrize(
        "ids",
        [(ID_1, ID_3), (ID_3, ID_2), (ID_1, None), (ID_2, ID_1)],
        ids=["second new", "first new", "no id", "order"],
    )
    def test_a_batch_of_which_only_some_ids_are_stored_so_is_refused(
        self, store: EventStore, ids: Sequence[str | None]
    ) -> None:
        store.append("account-1", _with_ids([Deposited(1), Deposited(2)]))

        with pytest.raises(DuplicateEventId, match="nothing was stored"):
            store.append("account-1", [NewEvent(Deposited(n), event_id=each) for n, each in enumerate(ids, start=1)])

        assert events(store.read_log()) == [Deposited(1), Deposited(2)]

    def test_ids_that_are_stored_but_do_not_follow_each_other_are_no_repetition(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(1), event_id=ID_1), Deposited(5)])
        store.append("account-1", [NewEvent(Deposited(2), event_id=ID_2)])

        with pytest.raises(DuplicateEventId, match="another append"):
            store.append("account-1", _with_ids([Deposited(1), Deposited(2)]))

        assert store.stream_version("account-1") == 3

    def test_one_id_twice_in_one_append_is_refused(self, store: EventStore) -> None:
        with pytest.raises(DuplicateEventId, match="twice"):
            store.append_all(
                [
                    StreamAppend("account-1", [NewEvent(Deposited(1), event_id=ID_1)]),
                    StreamAppend("account-2", [NewEvent(Deposited(1), event_id=ID_1)]),
                ]
            )

        assert store.head() == 0

    def test_an_append_that_was_refused_may_be_repeated_with_the_same_ids(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(0)])
        batch = _with_ids([Deposited(1), Deposited(2)])
        with pytest.raises(Exception, match="account-1"):
            store.append("account-1", batch, expected=NO_STREAM)

        store.append("account-1", batch, expected=1)

        assert store.stream_version("account-1") == 3

    def test_many_who_send_the_same_append_at_once_all_get_the_same_result(self, store: EventStore) -> None:
        batch = _with_ids([Deposited(1), Deposited(2)])

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: store.append("account-1", batch), range(16)))

        assert all(each == results[0] for each in results)
        assert store.stream_version("account-1") == 2


def _with_ids(batch: Sequence[Any]) -> list[NewEvent[Any]]:
    return [NewEvent(event, event_id=own) for event, own in zip(batch, (ID_1, ID_2, ID_3), strict=False)]
