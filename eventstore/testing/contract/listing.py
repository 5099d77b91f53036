"""Listing the streams that there are."""

import pytest

from eventstore.errors import InvalidInput
from eventstore.new_event import StreamAppend
from eventstore.reading import PAGE
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import Deposited

NAMES = [
    "account-1",
    "account-10",
    "account-2",
    "account",
    "account.x",
    "account,x",
    "accounts-1",
    "Account-1",
    "user-Zoë",
    "user-Zoe",
    "user-🌍",
    "user-\uffee",
    "user-a_b",
    "user-a%b",
]


class Listing(StoreCases):
    """Streams whose names sort differently in different alphabets."""

    def test_streams_are_listed_in_the_order_of_their_code_points(self, store: EventStore) -> None:
        _given(store)

        assert [each.stream for each in store.streams()] == sorted(NAMES)

    def test_an_empty_log_lists_nothing(self, store: EventStore) -> None:
        assert list(store.streams()) == []

    def test_a_listing_says_how_long_a_stream_is_and_when_it_was_written(self, store: EventStore) -> None:
        _given(store)
        store.append("account-1", [Deposited(8), Deposited(9)])

        for info in store.streams():
            found = list(store.read_stream(info.stream))
            assert info.version == len(found)
            assert info.first_recorded_us == found[0].recorded_us
            assert info.last_recorded_us == found[-1].recorded_us
            assert info.last_position == found[-1].position

    @pytest.mark.parametrize("category", ["account", "accounts", "Account", "user", "account.x", "nothing", "acc"])
    def test_a_category_lists_its_own_streams(self, store: EventStore, category: str) -> None:
        _given(store)

        wanted = sorted(name for name in NAMES if name.partition("-")[0] == category)
        assert [each.stream for each in store.streams(category=category)] == wanted

    @pytest.mark.parametrize("limit", [0, 1, 5, 14, 99])
    def test_a_listing_can_be_limited(self, store: EventStore, limit: int) -> None:
        _given(store)

        assert [each.stream for each in store.streams(limit=limit)] == sorted(NAMES)[:limit]

    def test_a_listing_goes_on_after_any_name(self, store: EventStore) -> None:
        _given(store)

        for after in ["", *NAMES, "account-", "b", "zzz"]:
            found = [each.stream for each in store.streams(after=after)]
            assert found == sorted(name for name in NAMES if name > after)

    def test_a_listing_in_pieces_is_the_whole_listing(self, store: EventStore) -> None:
        _given(store)

        found: list[str] = []
        while piece := [
            each.stream for each in store.streams(after=found[-1] if found else "", category="user", limit=2)
        ]:
            found += piece

        assert found == sorted(name for name in NAMES if name.startswith("user-"))

    def test_a_listing_longer_than_a_page_is_complete(self, store: EventStore) -> None:
        names = [f"account-{n:05}" for n in range(PAGE + 5)]
        store.append_all([StreamAppend(name, [Deposited(1)]) for name in names])

        assert [each.stream for each in store.streams()] == names
        assert [each.stream for each in store.streams(limit=PAGE + 2)] == names[: PAGE + 2]

    @pytest.mark.parametrize(
        ("field", "value"), [("category", "a-b"), ("category", ""), ("limit", -1), ("after", None)]
    )
    def test_a_listing_that_makes_no_sense_is_refused(self, store: EventStore, field: str, value: object) -> None:
        with pytest.raises(InvalidInput, match=field):
            store.streams(**{field: value})  # type: ignore[arg-type]  # wrong on purpose


def _given(store: EventStore) -> None:
    for n, name in enumerate(NAMES):
        store.append(name, [Deposited(n)] * (n % 3 + 1))
