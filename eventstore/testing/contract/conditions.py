"""Append conditions: a query that nothing after a position may match."""

import pytest

from eventstore.errors import AppendConditionFailed, InvalidInput, WrongExpectedVersion
from eventstore.expected import NO_STREAM
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query, QueryItem
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import Deposited, Renamed, Withdrawn

# What is in the log when each case begins: type and tags.
LOG = [
    NewEvent(Deposited(1), tags=["red", "round"]),
    NewEvent(Deposited(2), tags=["red", "square"]),
    NewEvent(Withdrawn(3), tags=["blue", "round", "large"]),
    NewEvent(Deposited(4)),
    NewEvent(Renamed("five"), tags=["green"]),
]

# A query, and which of the log's events (counted from 1) it matches.
QUERIES: dict[str, tuple[Query, list[int]]] = {
    "a type": (Query.of(Deposited), [1, 2, 4]),
    "a type by its name": (Query.of("account-renamed"), [5]),
    "several types": (Query.of(Withdrawn, Renamed), [3, 5]),
    "a type that never happened": (Query.of("NeverHappened"), []),
    "a tag": (Query.of(tags=["red"]), [1, 2]),
    "a tag of several types": (Query.of(tags=["round"]), [1, 3]),
    "a tag that nothing has": (Query.of(tags=["yellow"]), []),
    "two tags": (Query.of(tags=["red", "round"]), [1]),
    "three tags": (Query.of(tags=["large", "round", "blue"]), [3]),
    "two tags that are never together": (Query.of(tags=["red", "blue"]), []),
    "two tags of which nothing has one": (Query.of(tags=["red", "yellow"]), []),
    "a type and a tag": (Query.of(Deposited, tags=["round"]), [1]),
    "a type and a tag that are never together": (Query.of(Withdrawn, tags=["red"]), []),
    "a type and two tags": (Query.of(Withdrawn, tags=["blue", "round"]), [3]),
    "several types and a tag": (Query.of(Deposited, Withdrawn, tags=["round"]), [1, 3]),
    "items of types": (Query.of(Withdrawn) | Query.of(Renamed), [3, 5]),
    "items of tags": (Query.of(tags=["square"]) | Query.of(tags=["blue"]), [2, 3]),
    "items of both kinds": (
        Query.of(Renamed) | Query.of(tags=["large"]) | Query.of(Deposited, tags=["red"]),
        [1, 2, 3, 5],
    ),
    "items of which one matches": (Query.of("NeverHappened") | Query.of(tags=["yellow"]) | Query.of(Renamed), [5]),
    "items of which none matches": (Query.of("NeverHappened") | Query.of(tags=["yellow"]), []),
    "items that match the same event": (Query.of(Renamed) | Query.of(tags=["green"]), [5]),
}


class Conditions(StoreCases):
    """Every shape of query, before and after the event that it matches."""

    @pytest.mark.parametrize("shape", QUERIES)
    def test_a_condition_fails_exactly_where_its_query_matches(self, store: EventStore, shape: str) -> None:
        query, matched = QUERIES[shape]
        found = _given_the_log(store)
        head = store.head()

        for after in [0, *found]:
            forbidden = [found[n - 1] for n in matched if found[n - 1] > after]
            if forbidden:
                with pytest.raises(AppendConditionFailed) as refused:
                    store.append("account-new", [Withdrawn(1)], condition=AppendCondition(query, after))
                assert refused.value.after == after
                assert refused.value.position in forbidden
                assert f"position {refused.value.position}" in str(refused.value)
        assert store.head() == head

        last = found[matched[-1] - 1] if matched else 0
        store.append("account-new", [Deposited(1)], condition=AppendCondition(query, last))
        assert store.stream_version("account-new") == 1

    @pytest.mark.parametrize("shape", QUERIES)
    def test_reading_a_query_gives_what_its_condition_forbids(self, store: EventStore, shape: str) -> None:
        query, matched = QUERIES[shape]
        found = _given_the_log(store)

        assert [each.position for each in store.read_log(query=query)] == [found[n - 1] for n in matched]

    def test_a_condition_on_an_empty_log_holds(self, store: EventStore) -> None:
        condition = AppendCondition(Query.of(Deposited) | Query.of(tags=["red"]) | Query.of(Deposited, tags=["red"]))

        store.append("account-1", [Deposited(1)], condition=condition)

        assert store.stream_version("account-1") == 1

    def test_an_append_does_not_conflict_with_itself(self, store: EventStore) -> None:
        condition = AppendCondition(Query.of(Deposited))

        store.append("account-1", [Deposited(1), Deposited(2)], condition=condition)

        assert store.stream_version("account-1") == 2

    def test_the_same_condition_fails_once_its_own_event_is_in_the_log(self, store: EventStore) -> None:
        condition = AppendCondition(Query.of(Deposited, tags=["red"]))
        store.append("account-1", [NewEvent(Deposited(1), tags=["red"])], condition=condition)

        with pytest.raises(AppendConditionFailed):
            store.append("account-2", [NewEvent(Deposited(1), tags=["red"])], condition=condition)

        assert store.stream_version("account-2") == 0

    def test_a_position_beyond_the_head_forbids_nothing_that_is_there(self, store: EventStore) -> None:
        _given_the_log(store)

        store.append("account-new", [Deposited(1)], condition=AppendCondition(Query.of(Deposited), store.head() + 1000))

        assert store.stream_version("account-new") == 1

    def test_a_condition_guards_an_append_over_several_streams(self, store: EventStore) -> None:
        _given_the_log(store)
        head = store.head()

        with pytest.raises(AppendConditionFailed):
            store.append_all(
                [StreamAppend("account-8", [Deposited(1)]), StreamAppend("account-9", [Deposited(2)])],
                condition=AppendCondition(Query.of(tags=["red"])),
            )

        assert store.head() == head
        assert store.stream_version("account-8") == store.stream_version("account-9") == 0

    def test_a_condition_and_an_expected_version_must_both_hold(self, store: EventStore) -> None:
        _given_the_log(store)
        holds = AppendCondition(Query.of(tags=["red"]), store.head())
        fails = AppendCondition(Query.of(tags=["red"]))

        with pytest.raises(WrongExpectedVersion):
            store.append("account-1", [Deposited(1)], expected=NO_STREAM, condition=holds)
        with pytest.raises(AppendConditionFailed):
            store.append("account-1", [Deposited(1)], expected=len(LOG), condition=fails)
        store.append("account-1", [Deposited(1)], expected=len(LOG), condition=holds)

        assert store.stream_version("account-1") == len(LOG) + 1

    def test_tags_of_fields_and_tags_beside_the_event_count_alike(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(1), tags=["a", "b"]), NewEvent(Deposited(2), tags=["b"])])

        with pytest.raises(AppendConditionFailed):
            store.append("account-2", [Deposited(3)], condition=AppendCondition(Query.of(tags=["b", "a"])))

    def test_a_tag_is_compared_whole_and_exactly(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(1), tags=["course:c-1", "Größe:%_'\""])])

        for other in ("course:c-", "course:c-11", "COURSE:c-1", "course:c_1", "Größe:%", "größe:%_'\""):
            store.append("account-2", [Deposited(1)], condition=AppendCondition(Query.of(tags=[other])))
        for same in ("course:c-1", "Größe:%_'\""):
            with pytest.raises(AppendConditionFailed):
                store.append("account-2", [Deposited(1)], condition=AppendCondition(Query.of(tags=[same])))

    @pytest.mark.parametrize(
        "condition",
        [
            AppendCondition(Query(())),
            AppendCondition(Query((QueryItem(),))),
            AppendCondition(Query.of(Deposited), -1),
            AppendCondition(Query.of(Deposited), 2**63),
        ],
    )
    def test_a_condition_that_cannot_be_checked_is_refused(self, store: EventStore, condition: AppendCondition) -> None:
        with pytest.raises(InvalidInput, match="append condition"):
            store.append("account-1", [Deposited(1)], condition=condition)

        assert store.head() == 0


def _given_the_log(store: EventStore) -> list[int]:
    store.append("account-1", LOG)
    return [each.position for each in store.read_log()]
