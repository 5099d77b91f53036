"""Limits: what just fits is stored whole, and what does not is refused whole."""

import pytest

from eventstore.errors import InvalidEvent, InvalidInput, InvalidStreamName, PayloadTooLarge
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, StoreFactory
from eventstore.testing.contract.vocabulary import Deposited, Renamed

MOST_EVENTS = 10_000
MEGABYTE = 1 << 20
LONGEST = 255


class Limits(StoreCases):
    """The largest of everything."""

    def test_the_largest_payload_is_stored(self, store: EventStore) -> None:
        text = "x" * (MEGABYTE - len('{"name":""}'))

        store.append("account-1", [Renamed(text)])

        (found,) = store.read_stream("account-1")
        assert found.event.name == text

    @pytest.mark.parametrize("size", [MEGABYTE - len('{"name":""}') + 1, 10 * MEGABYTE])
    def test_a_larger_payload_is_refused(self, store: EventStore, size: int) -> None:
        with pytest.raises(PayloadTooLarge, match=f"account-renamed.*at most {MEGABYTE:,}"):
            store.append("account-1", [Deposited(1), Renamed("x" * size)])

        assert store.head() == 0

    def test_the_limit_counts_bytes_and_not_characters(self, open_store: StoreFactory) -> None:
        store = open_store(max_payload=100)

        store.append("account-1", [Renamed("x" * 80)])
        with pytest.raises(PayloadTooLarge, match=r"171 bytes.*at most 100"):
            store.append("account-1", [Renamed("ü" * 80)])
        with pytest.raises(InvalidEvent, match="metadata"):
            store.append("account-1", [NewEvent(Deposited(1), metadata={"a": "ü" * 80})])

        assert store.stream_version("account-1") == 1

    def test_a_larger_limit_lets_ten_megabytes_through(self, open_store: StoreFactory) -> None:
        store = open_store(max_payload=11 * MEGABYTE)

        store.append("account-1", [Renamed("x" * (10 * MEGABYTE))])

        (found,) = store.read_stream("account-1")
        assert len(found.event.name) == 10 * MEGABYTE

    @pytest.mark.parametrize("letter", ["x", "ß", "世", "🌍"])
    def test_the_longest_stream_name_is_stored(self, store: EventStore, letter: str) -> None:
        name = letter * LONGEST

        store.append(name, [Deposited(1)])

        assert [each.stream for each in store.streams()] == [name]
        with pytest.raises(InvalidStreamName, match="at most 255 characters, got 256"):
            store.append(name + letter, [Deposited(1)])

    @pytest.mark.parametrize("letter", ["x", "🌍"])
    def test_the_longest_tag_is_stored_and_found(self, store: EventStore, letter: str) -> None:
        tag = letter * LONGEST

        store.append("account-1", [NewEvent(Deposited(1), tags=[tag])])

        assert len(list(store.read_log(tags=[tag]))) == 1
        with pytest.raises(InvalidInput, match="tags"):
            store.append("account-1", [NewEvent(Deposited(1), tags=[tag + letter])])

    def test_a_hundred_tags_are_stored_and_found(self, store: EventStore) -> None:
        tags = [f"tag-{n}" for n in range(100)]

        store.append("account-1", [NewEvent(Deposited(1), tags=tags), NewEvent(Deposited(2), tags=tags[:-1])])

        assert [each.event for each in store.read_log(tags=tags)] == [Deposited(1)]
        assert [each.tags for each in store.read_log(limit=1)] == [tuple(tags)]

    def test_the_most_events_of_one_append_are_stored(self, store: EventStore) -> None:
        appended = store.append("account-1", [Deposited(n) for n in range(MOST_EVENTS)])

        assert appended.versions == {"account-1": MOST_EVENTS}
        assert [each.event.amount for each in store.read_stream("account-1")] == list(range(MOST_EVENTS))

    def test_more_events_in_one_append_are_refused(self, store: EventStore) -> None:
        half = [Deposited(n) for n in range(MOST_EVENTS // 2)]

        with pytest.raises(InvalidInput, match="at most 10,000 events"):
            store.append_all([StreamAppend("account-1", [*half, Deposited(1)]), StreamAppend("account-2", half)])

        assert store.head() == 0

    def test_one_append_writes_to_thousands_of_streams(self, store: EventStore) -> None:
        store.append("account-7", [Deposited(0)])

        appended = store.append_all([StreamAppend(f"account-{n}", [Deposited(n)]) for n in range(2500)])

        assert len(appended.versions) == 2500
        assert appended.versions["account-7"] == 2
        assert len(list(store.streams())) == 2500

    def test_a_query_has_hundreds_of_items(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(n), tags=[f"tag-{n}"]) for n in range(0, 1400, 2)])
        query = Query(tuple(item for n in range(700) for item in Query.of(Deposited, tags=[f"tag-{n}"]).items))

        assert [each.event.amount for each in store.read_log(query=query)] == list(range(0, 700, 2))
        store.append("account-1", [Deposited(1)], condition=AppendCondition(query, store.head()))

        assert store.stream_version("account-1") == 701
