"""Reading one stream: any part of it, in both directions, in pages."""

from itertools import islice

import pytest

from eventstore.errors import InvalidInput, InvalidStreamName
from eventstore.recorded import UnknownEvent
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, StoreFactory, events
from eventstore.testing.contract.counting import CountingBackend
from eventstore.testing.contract.vocabulary import Deposited, Renamed, Withdrawn

LENGTH = 23
PAGE_SIZES = [1, 2, 7, 22, 23, 24, 1000]


class ReadingStreams(StoreCases):
    """A stream of 23 events, interleaved with another one."""

    @pytest.mark.parametrize("page_size", PAGE_SIZES)
    @pytest.mark.parametrize("backwards", [False, True])
    def test_a_stream_is_read_whole_whatever_the_page(
        self, store: EventStore, page_size: int, *, backwards: bool
    ) -> None:
        _given(store)

        found = list(store.read_stream("account-1", page_size=page_size, backwards=backwards))

        versions = list(range(1, LENGTH + 1))
        assert [each.version for each in found] == (versions[::-1] if backwards else versions)
        assert [each.event for each in found] == [Deposited(each.version) for each in found]

    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize(
        ("after", "up_to"), [(0, None), (5, None), (0, 9), (5, 9), (9, 9), (9, 5), (22, 23), (40, None)]
    )
    def test_a_part_of_a_stream_is_what_a_list_would_give(
        self, store: EventStore, after: int, up_to: int | None, *, backwards: bool
    ) -> None:
        _given(store)

        for limit in (None, 0, 1, 7, 8, 23, 99):
            found = store.read_stream(
                "account-1", after_version=after, up_to_version=up_to, limit=limit, backwards=backwards, page_size=7
            )
            wanted = list(range(1, LENGTH + 1))[after:up_to]
            assert [each.version for each in found] == (wanted[::-1] if backwards else wanted)[:limit], limit

    def test_a_stream_that_does_not_exist_has_no_events(self, store: EventStore) -> None:
        _given(store)

        assert list(store.read_stream("account-9")) == list(store.read_stream("account-9", backwards=True)) == []

    @pytest.mark.parametrize("name", ["account-", "account", "account-11", "ACCOUNT-1", "account-%", "account_1"])
    def test_a_stream_is_named_whole_and_exactly(self, store: EventStore, name: str) -> None:
        _given(store)

        assert list(store.read_stream(name)) == []
        assert store.stream_version(name) == 0

    def test_a_page_of_a_stream_is_fetched_only_when_the_reader_gets_there(self, open_store: StoreFactory) -> None:
        store = open_store()
        _given(store)
        counting = CountingBackend.under(store)

        found = store.read_stream("account-1", page_size=5)
        assert counting.stream_pages == 0
        assert len(list(islice(found, 5))) == 5
        assert counting.stream_pages == 1
        assert next(found).version == 6
        assert counting.stream_pages == 2

    def test_a_reader_sees_what_is_appended_while_it_reads(self, store: EventStore) -> None:
        _given(store)
        found = store.read_stream("account-1", page_size=10)
        first = next(found)

        store.append("account-1", [Withdrawn(1)])

        assert [first.version, *(each.version for each in found)] == list(range(1, LENGTH + 2))

    def test_an_event_type_that_is_not_declared_is_read_as_unknown(self, open_store: StoreFactory) -> None:
        store = open_store(events=Deposited)
        store.append("account-1", [Deposited(1), Renamed("ada")])

        assert events(store.read_stream("account-1")) == [
            Deposited(1),
            UnknownEvent("account-renamed", 2, {"name": "ada"}),
        ]

    @pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b"])
    def test_a_name_that_no_stream_can_have_is_refused(self, store: EventStore, name: str) -> None:
        with pytest.raises(InvalidStreamName, match="stream name"):
            store.read_stream(name)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("after_version", -1),
            ("after_version", 2**63),
            ("up_to_version", -1),
            ("limit", -1),
            ("page_size", 0),
            ("page_size", "10"),
        ],
    )
    def test_a_part_that_makes_no_sense_is_refused(self, store: EventStore, field: str, value: object) -> None:
        _given(store)

        with pytest.raises(InvalidInput, match=f"{field}.*{value}"):
            store.read_stream("account-1", **{field: value})  # type: ignore[arg-type]  # wrong on purpose


def _given(store: EventStore) -> None:
    versions = range(1, LENGTH + 1)
    for start in (0, 10, 20):
        store.append("account-1", [Deposited(n) for n in versions[start : start + 10]])
        store.append("account-2", [Withdrawn(start)])
