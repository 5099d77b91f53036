"""Reading the log: every filter and every combination, held against a filter in plain Python."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice, product
from typing import Any, TypeAlias

import pytest

from eventstore.errors import InvalidInput
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import Query
from eventstore.recorded import Recorded
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, StoreFactory, positions
from eventstore.testing.contract.counting import CountingBackend
from eventstore.testing.contract.vocabulary import Deposited, Renamed, Withdrawn

Wanted: TypeAlias = Callable[[Recorded[Any]], bool]

STREAMS = [
    "account-1",
    "account-2",
    "account",
    "accounts-1",
    "accoun-1",
    "account.x",
    "account,x",
    "Konto-Größe-1",
    "$sys-1",
]
TAGS = ["red", "green", "blue", "rare"]

CATEGORIES: dict[str, Wanted] = {
    name: lambda each, name=name: each.stream.partition("-")[0] == name  # type: ignore[misc]  # mypy cannot type a lambda with a default
    for name in ("account", "accounts", "accoun", "account.x", "Konto", "acc", "Account", "a%")
}
TYPES: dict[str, tuple[Sequence[Any], Wanted]] = {
    "one type": ([Deposited], lambda each: each.type == "Deposited"),
    "two types": (["Withdrawn", Renamed], lambda each: each.type in {"Withdrawn", "account-renamed"}),
    "no such type": (["Nothing"], lambda _: False),
}
TAG_LISTS: dict[str, tuple[Sequence[str], Wanted]] = {
    "one tag": (["red"], lambda each: "red" in each.tags),
    "a rare tag": (["rare"], lambda each: "rare" in each.tags),
    "two tags": (["blue", "red"], lambda each: {"blue", "red"} <= set(each.tags)),
    "three tags": (["red", "green", "blue"], lambda each: {"red", "green", "blue"} <= set(each.tags)),
    "no such tag": (["yellow"], lambda _: False),
}
QUERIES: dict[str, tuple[Query, Wanted]] = {
    "items of types": (
        Query.of(Deposited) | Query.of(Renamed),
        lambda each: each.type in {"Deposited", "account-renamed"},
    ),
    "a type, or a tag": (
        Query.of(Deposited) | Query.of(tags=["rare"]),
        lambda each: each.type == "Deposited" or "rare" in each.tags,
    ),
    "a type with a tag, or two tags": (
        Query.of(Withdrawn, tags=["green"]) | Query.of(tags=["blue", "red"]),
        lambda each: (each.type == "Withdrawn" and "green" in each.tags) or {"blue", "red"} <= set(each.tags),
    ),
}


class ReadingTheLog(StoreCases):
    """A log of a hundred events over nine streams, drawn with a fixed seed."""

    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize("page_size", [1, 9, 1000])
    def test_the_log_is_read_whole_whatever_the_page(
        self, store: EventStore, page_size: int, *, backwards: bool
    ) -> None:
        appended = _given(store)

        found = positions(store.read_log(page_size=page_size, backwards=backwards))

        assert len(found) == appended
        assert found == sorted(set(found), reverse=backwards)

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_a_category_is_everything_before_the_first_dash(self, store: EventStore, category: str) -> None:
        _given(store)

        _assert_reads(store, CATEGORIES[category], category=category)

    def test_a_stream_is_read_in_the_order_of_the_log(self, store: EventStore) -> None:
        _given(store)

        for stream in [*STREAMS, "account-9"]:
            _assert_reads(store, lambda each, stream=stream: each.stream == stream, stream=stream)  # type: ignore[misc]  # mypy cannot type a lambda with a default

    @pytest.mark.parametrize("name", TYPES)
    def test_types_are_alternatives(self, store: EventStore, name: str) -> None:
        _given(store)
        types, wanted = TYPES[name]

        _assert_reads(store, wanted, types=types)

    @pytest.mark.parametrize("name", TAG_LISTS)
    def test_tags_must_all_be_there(self, store: EventStore, name: str) -> None:
        _given(store)
        tags, wanted = TAG_LISTS[name]

        _assert_reads(store, wanted, tags=tags)

    @pytest.mark.parametrize(("type_name", "tag_name"), list(product(TYPES, TAG_LISTS)))
    def test_types_and_tags_hold_together(self, store: EventStore, type_name: str, tag_name: str) -> None:
        _given(store)
        types, has_type = TYPES[type_name]
        tags, has_tags = TAG_LISTS[tag_name]

        _assert_reads(store, lambda each: has_type(each) and has_tags(each), types=types, tags=tags)

    @pytest.mark.parametrize("name", QUERIES)
    def test_the_items_of_a_query_are_alternatives(self, store: EventStore, name: str) -> None:
        _given(store)
        query, wanted = QUERIES[name]

        _assert_reads(store, wanted, query=query)

    @pytest.mark.parametrize("name", QUERIES)
    def test_a_query_holds_together_with_a_category_and_a_stream(self, store: EventStore, name: str) -> None:
        _given(store)
        query, wanted = QUERIES[name]

        _assert_reads(store, lambda each: wanted(each) and each.category == "account", query=query, category="account")
        _assert_reads(store, lambda each: wanted(each) and each.stream == "account", query=query, stream="account")

    def test_instants_bound_the_log_on_both_sides_inclusively(self, store: EventStore) -> None:
        _given(store)
        recorded = list(store.read_log())
        first, last = recorded[20].recorded_at, recorded[70].recorded_at

        _assert_reads(store, lambda each: each.recorded_at >= first, since=first)
        _assert_reads(store, lambda each: each.recorded_at <= last, until=last)
        _assert_reads(store, lambda each: first <= each.recorded_at <= last, since=first, until=last)
        _assert_reads(store, lambda _: False, since=recorded[-1].recorded_at + timedelta(microseconds=1))

    def test_every_part_of_a_filter_holds_together_with_every_other(self, store: EventStore) -> None:
        _given(store)
        middle = list(store.read_log())[50].recorded_at

        _assert_reads(
            store,
            lambda each: (
                each.category == "account"
                and each.type == "Deposited"
                and "red" in each.tags
                and each.recorded_at <= middle
            ),
            category="account",
            types=[Deposited],
            tags=["red"],
            until=middle,
        )

    @pytest.mark.parametrize("limit", [0, 1, 5, 6, 1000])
    def test_a_limit_holds_across_pages(self, store: EventStore, limit: int) -> None:
        _given(store)
        everything = positions(store.read_log())

        assert positions(store.read_log(limit=limit, page_size=5)) == everything[:limit]
        assert positions(store.read_log(limit=limit, page_size=5, backwards=True)) == everything[::-1][:limit]

    @pytest.mark.parametrize(("first", "last"), [(0, 100), (10, 20), (20, 10), (50, 50), (99, 100)])
    def test_positions_bound_the_log(self, store: EventStore, first: int, last: int) -> None:
        _given(store)
        everything = [0, *positions(store.read_log())]
        after, up_to = everything[first], everything[last]

        found = positions(store.read_log(after=after, up_to=up_to, page_size=4))
        back = positions(store.read_log(after=after, up_to=up_to, page_size=4, backwards=True))

        assert found == back[::-1] == [each for each in everything if after < each <= up_to]

    def test_a_position_beyond_the_head_bounds_nothing(self, store: EventStore) -> None:
        appended = _given(store)

        assert len(list(store.read_log(up_to=store.head() + 1000))) == appended
        assert list(store.read_log(after=store.head())) == []
        assert list(store.read_log(after=store.head() + 1000)) == []

    def test_the_log_is_read_as_far_as_it_was_complete_when_the_reading_began(self, store: EventStore) -> None:
        appended = _given(store)
        found = store.read_log(page_size=10)
        next(found)

        store.append("account-1", [Deposited(1)])

        assert len(list(found)) == appended - 1

    def test_a_page_of_the_log_is_fetched_only_when_the_reader_gets_there(self, open_store: StoreFactory) -> None:
        store = open_store()
        _given(store)
        counting = CountingBackend.under(store)

        found = store.read_log(page_size=10)
        assert counting.log_pages == 0
        assert len(list(islice(found, 10))) == 10
        assert counting.log_pages == 1
        assert next(found).position > 0
        assert counting.log_pages == 2

    def test_a_query_over_a_common_and_a_rare_tag_is_read_across_pages(self, store: EventStore) -> None:
        store.append("account-1", [NewEvent(Deposited(n), tags=["common"]) for n in range(300)])
        store.append("account-1", [NewEvent(Withdrawn(n), tags=["rare", "common"]) for n in range(3)])
        store.append("account-1", [NewEvent(Deposited(n), tags=["common"]) for n in range(300)])

        _assert_reads(store, lambda each: "rare" in each.tags, tags=["common", "rare"])
        _assert_reads(store, lambda each: each.type == "Withdrawn", types=[Withdrawn], tags=["common"])

    @pytest.mark.parametrize(
        ("field", "filters"),
        [
            ("after", {"after": -1}),
            ("after", {"after": 2**63}),
            ("up_to", {"up_to": -1}),
            ("limit", {"limit": -1}),
            ("page_size", {"page_size": 0}),
            ("category", {"category": "account-1"}),
            ("category", {"category": ""}),
            ("stream name", {"stream": ""}),
            ("tags", {"tags": "red"}),
            ("tags", {"tags": [""]}),
            ("types", {"types": "Deposited"}),
            ("types", {"types": [5]}),
            ("filter", {"query": Query.of(Deposited), "tags": ["red"]}),
            ("query", {"query": Query(())}),
            ("query", {"query": "Deposited"}),
            ("since", {"since": "yesterday"}),
        ],
    )
    def test_a_filter_that_makes_no_sense_is_refused(
        self, store: EventStore, field: str, filters: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInput, match=field):
            store.read_log(**filters)


def _assert_reads(store: EventStore, wanted: Wanted, **filters: Any) -> None:
    """Reads with the filter, in both directions and in pages of several sizes."""
    expected = [each for each in store.read_log() if wanted(each)]
    for page_size in (3, 1000):
        assert list(store.read_log(**filters, page_size=page_size)) == expected
        assert list(store.read_log(**filters, page_size=page_size, backwards=True)) == expected[::-1]
    some = expected[len(expected) // 3 : 2 * len(expected) // 3]
    if some:
        bounds: dict[str, Any] = {"after": some[0].position, "up_to": some[-1].position}
        assert list(store.read_log(**filters, **bounds, page_size=2)) == some[1:]
    assert list(store.read_log(**filters, limit=4, page_size=3)) == expected[:4]


def _given(store: EventStore) -> int:
    """A hundred events in appends of ten over several streams."""
    draw = random.Random(2024)  # noqa: S311 - a case must repeat
    for _ in range(10):
        parts: dict[str, list[NewEvent[Any]]] = {}
        for _ in range(10):
            amount = draw.randrange(100)
            event: Any = draw.choice([Deposited(amount), Deposited(amount), Withdrawn(amount), Renamed(f"n{amount}")])
            tags = [tag for tag in TAGS[:3] if draw.random() < 0.5] + (["rare"] if draw.random() < 0.05 else [])
            parts.setdefault(draw.choice(STREAMS[:-1]), []).append(NewEvent(event, tags=tags))
        store.append_all([StreamAppend(stream, batch) for stream, batch in parts.items()])
    return 100
